let outer = new Map();
for (let i = 0; i < 2e5; i++) outer = new Map([[outer, new Set([outer])]]);
outer = null;
for (let i = 0; i < 1e5; i++) [];
