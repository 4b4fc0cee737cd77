Array.prototype[Symbol.iterator] = function* () { yield 'patched'; };
Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true });
String.prototype[Symbol.iterator] = null;
