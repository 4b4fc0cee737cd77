function handler() { throw Symbol('x'.repeat(1e6)); }
