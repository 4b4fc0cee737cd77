const views = [];
for (;;) views.push(new Uint8Array(65536), new Float64Array(views.length));
