globalThis.weak = new WeakRef(event);
globalThis.registry = new FinalizationRegistry((held) => { globalThis.finalized = held; });
for (let i = 0; i < 100; i++) globalThis.registry.register({}, i, event);
WeakMap.prototype.get = WeakMap.prototype.has = WeakRef.prototype.deref = () => 'patched';
if (typeof state !== 'undefined') state.weak.set(state.list, event);
return event.request;
