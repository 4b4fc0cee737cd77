let rounds = 0;
globalThis.gate = new Promise((resolve) => { globalThis.open = resolve; });
const later = () => { globalThis.rounds = ++rounds; if (rounds < 100) Promise.resolve().then(later); };
Promise.resolve().then(later);
globalThis.gate.then(() => { Array.prototype.map = null; });
Promise.reject(new Error('nobody looks'));
return event.request;
