for (let i = 0; i < 500; i++) globalThis[Symbol.for('registry' + i)] = i;
Symbol.for = Symbol.keyFor = () => Symbol.iterator;
Object.defineProperty(Symbol.prototype, 'description', { get: () => 'patched' });
Object.defineProperty(Symbol.prototype, Symbol.toStringTag, { value: 'Patched' });
return event.request;
