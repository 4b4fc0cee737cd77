function handler() { throw undefined; }
