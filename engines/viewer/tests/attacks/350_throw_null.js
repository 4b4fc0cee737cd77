function handler() { throw null; }
