function handler() { return { get uri() { const a = []; for (;;) a.push('x'.repeat(1000)); } }; }
