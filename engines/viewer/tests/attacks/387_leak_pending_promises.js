globalThis.gate = new Promise((resolve) => { globalThis.open = resolve; });
gate.then(() => { for (;;); });
