const held = [];
for (let i = 0; ; i++) held.push('ab'.repeat(1e5 + i));
