// The native stack is spent from inside the job queue.
Promise.resolve().then(() => { const p = new Proxy({}, {}); p.__proto__ = p; return p.x; });
