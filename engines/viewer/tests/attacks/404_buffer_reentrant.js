const b = Buffer.alloc(8);
b.fill(7, { valueOf() { for (;;) b.fill(1); } });
b.copy(b, { valueOf() { for (;;); } });
b.writeUInt8({ valueOf() { for (;;); } });
