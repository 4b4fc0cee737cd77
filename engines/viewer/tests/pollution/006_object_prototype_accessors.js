for (const name of ['value', 'headers', 'multiValue', 'uri', 'get', 'set', 'done', 'cause', 'writable', 'attributes'])
  Object.defineProperty(Object.prototype, name, { __proto__: null, get() { return this['_' + name]; }, set(v) { globalThis.stolen = v; }, configurable: true });
return event.request;
