const table = new Map();
for (let i = 0; ; i++) table.set('key' + i, { i });
