const iterator = Object.getPrototypeOf([][Symbol.iterator]());
iterator.next = () => ({ done: true });
Array.prototype[Symbol.iterator] = String.prototype[Symbol.iterator] = Map.prototype[Symbol.iterator] = function* () { yield 'patched'; };
Object.getPrototypeOf(''[Symbol.iterator]()).next = null;
return event.request;
