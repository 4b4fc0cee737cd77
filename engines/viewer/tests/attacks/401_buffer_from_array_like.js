Buffer.from({ length: 2 ** 53 - 1, get 0() { return 1; } });
