let list = [];
for (let i = 0; i < 2e5; i++) list = new Proxy(list, {});
Array.isArray(list);
