const buffer = new ArrayBuffer(1 << 20);
const slices = [];
for (;;) slices.push(buffer.slice(0), buffer.slice(1));
