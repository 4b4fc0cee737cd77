for (let i = 0; i < 200; i++) globalThis['leak' + i] = { secret: i };
globalThis[Symbol.for('leak')] = event;
Object.defineProperty(globalThis, 'hiddenLeak', { value: 1 });
return event.request;
