const Typed = Object.getPrototypeOf(Uint8Array);
for (const name of ['set', 'fill', 'join', 'values', 'map', Symbol.iterator]) Typed.prototype[name] = () => ({ next: () => ({ done: true }) });
Object.defineProperty(Typed.prototype, 'length', { get: () => 0 });
ArrayBuffer.prototype.slice = DataView.prototype.getInt32 = ArrayBuffer.isView = null;
if (typeof state !== 'undefined') state.bytes.fill(255);
return event.request;
