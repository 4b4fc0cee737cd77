async function handler() { throw new Proxy({}, { get() { for (;;); }, has() { for (;;); }, ownKeys() { for (;;); } }); }
