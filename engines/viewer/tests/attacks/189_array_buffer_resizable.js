const resizables = [];
for (;;) {
  const resizable = new ArrayBuffer(0, { maxByteLength: 2 ** 20 });
  for (let size = 1; size <= 2 ** 20; size *= 2) resizable.resize(size);
  resizables.push(resizable);
}
