globalThis.registry = new FinalizationRegistry(() => { globalThis.finalized = true; });
globalThis.weak = new WeakRef({});
for (let i = 0; i < 100; i++) registry.register({}, i);
