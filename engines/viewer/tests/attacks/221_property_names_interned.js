const names = {};
for (let i = 0; ; i++) { names[i + 'x'.repeat(200)] = 1; delete names[i + 'x'.repeat(200)]; }
