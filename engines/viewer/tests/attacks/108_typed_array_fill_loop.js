const bytes = new Uint8Array(1 << 20);
for (;;) bytes.fill(1).reverse();
