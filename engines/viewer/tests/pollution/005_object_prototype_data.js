Object.prototype.x = 'patched';
Object.prototype[0] = 'zero';
Object.prototype[Symbol.toStringTag] = 'Patched';
Object.prototype[Symbol.isConcatSpreadable] = true;
Object.defineProperty(Object.prototype, 'then', { value: undefined, writable: true });
return event.request;
