function handler() { throw Object.defineProperty(new Error('x'), 'name', { get() { for (;;); } }); }
