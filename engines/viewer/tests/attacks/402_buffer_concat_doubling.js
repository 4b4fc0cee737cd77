let b = Buffer.alloc(1024);
for (;;) b = Buffer.concat([b, b]);
