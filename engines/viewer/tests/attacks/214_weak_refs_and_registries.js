const registry = new FinalizationRegistry(() => {});
const refs = [];
for (;;) { const o = {}; registry.register(o, refs, o); refs.push(new WeakRef(o)); }
