Object.setPrototypeOf(Array.prototype, null);
Object.setPrototypeOf(Function.prototype, new Proxy({}, { get() { return 'patched'; } }));
Object.setPrototypeOf(Error.prototype, Array.prototype);
