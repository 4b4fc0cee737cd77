globalThis.leaked = { secret: 1 };
globalThis.undefinedLater = undefined;
for (let i = 0; i < 50; i++) globalThis['leak' + i] = Symbol.for('leak' + i);
