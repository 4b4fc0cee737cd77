new Set([1]).union({ size: 1, has: () => true, keys: () => ({ next: () => ({ value: 1, done: false }) }) });
