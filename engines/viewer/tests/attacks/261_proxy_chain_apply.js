let callable = () => 1;
for (let i = 0; i < 2e5; i++) callable = new Proxy(callable, {});
callable();
