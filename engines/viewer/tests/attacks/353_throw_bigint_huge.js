function handler() { throw 1n << 8000000n; }
