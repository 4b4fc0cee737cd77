const base = 'x'.repeat(1e5);
const parts = [];
for (let i = 0; ; i++) parts.push(base.slice(i % 100) + i, base.toLowerCase() + i);
