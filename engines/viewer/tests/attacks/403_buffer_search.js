const b = Buffer.alloc(4e6, 'a');
for (;;) b.lastIndexOf('a'.repeat(2e6) + 'b');
