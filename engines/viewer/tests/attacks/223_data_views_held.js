const dataViews = [];
for (;;) dataViews.push(new DataView(new ArrayBuffer(1 << 16)), new BigInt64Array(1 << 10));
