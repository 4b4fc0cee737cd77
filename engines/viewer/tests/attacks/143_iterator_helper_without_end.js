const forever = { __proto__: Iterator.prototype, next: () => ({ value: 1, done: false }) };
forever.filter(() => false).next();
