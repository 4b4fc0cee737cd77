function handler() { return new Proxy({}, { get() { for (;;); } }); }
