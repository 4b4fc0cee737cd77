let reads = 0;
for (const name of ['Math', 'JSON', 'Array', 'Reflect', 'leaked', 'value', 'event'])
  Object.defineProperty(globalThis, name, { get: () => ++reads, set() { reads = 0; }, configurable: true });
return event.request;
