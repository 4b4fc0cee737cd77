for (const C of [Map, Set]) {
  for (const name of Object.getOwnPropertyNames(C.prototype)) Object.defineProperty(C.prototype, name, { value: () => 'patched', configurable: true });
  C.extra = event;
}
if (typeof state !== 'undefined') Object.defineProperty(state.map, 'size', { value: 99 });
return event.request;
