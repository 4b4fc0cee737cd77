let keyed = { a: 1 };
for (let i = 0; i < 1e5; i++) keyed = new Proxy(keyed, {});
Object.keys(keyed);
