delete Object.prototype.__proto__;
Object.defineProperty(Object.prototype, '__proto__', { get: () => null, set(v) { globalThis.proto = v; } });
for (const name of ['__defineGetter__', '__defineSetter__', '__lookupGetter__', '__lookupSetter__']) delete Object.prototype[name];
return event.request;
