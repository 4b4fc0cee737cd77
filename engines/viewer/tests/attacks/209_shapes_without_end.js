const shaped = [];
for (let i = 0; ; i++) shaped.push({ ['a' + i]: 1, ['b' + i]: 2 });
