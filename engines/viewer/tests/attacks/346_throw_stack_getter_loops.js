function handler() { throw Object.defineProperty(new Error('x'), 'stack', { get() { for (;;); } }); }
