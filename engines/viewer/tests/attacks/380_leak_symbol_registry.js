for (let i = 0; i < 1000; i++) Symbol.for('registry' + i);
Object.defineProperty(Symbol.prototype, 'description', { get: () => 'patched' });
