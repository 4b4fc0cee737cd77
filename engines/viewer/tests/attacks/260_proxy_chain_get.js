let layered = { x: 1 };
for (let i = 0; i < 2e5; i++) layered = new Proxy(layered, {});
layered.x;
