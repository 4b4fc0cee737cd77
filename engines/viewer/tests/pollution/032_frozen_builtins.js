for (const name of Object.getOwnPropertyNames(globalThis)) {
  const value = globalThis[name];
  if (typeof value === 'function' && value !== handler) { Object.freeze(value.prototype); Object.freeze(value); }
}
Object.freeze(Math);
Object.preventExtensions(globalThis);
return event.request;
