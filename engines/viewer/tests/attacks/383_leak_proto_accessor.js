delete Object.prototype.__proto__;
Object.defineProperty(Object.prototype, '__proto__', { get() { for (;;); }, set() { for (;;); } });
