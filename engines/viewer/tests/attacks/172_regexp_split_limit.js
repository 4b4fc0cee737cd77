const every = { [Symbol.split]: RegExp.prototype[Symbol.split], flags: '', constructor: { [Symbol.species]: function () { return { exec: () => null }; } } };
RegExp.prototype[Symbol.split].call(every, 'x'.repeat(5e6), 2 ** 32 - 1);
