function handler() { throw new Error('x', { get cause() { return { get message() { for (;;); }, toString() { for (;;); } }; } }); }
