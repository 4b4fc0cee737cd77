Object.setPrototypeOf(Array.prototype, Map.prototype);
Object.setPrototypeOf(Function.prototype, { patched: 1, __proto__: Object.prototype });
Object.setPrototypeOf(TypeError, null);
Object.setPrototypeOf(Uint8Array.prototype, Array.prototype);
Object.setPrototypeOf(String.prototype, new Proxy({}, { get: () => 'patched', has: () => true }));
return event.request;
