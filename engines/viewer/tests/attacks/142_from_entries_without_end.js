Object.fromEntries({ [Symbol.iterator]: () => ({ next: () => ({ value: ['k', 1], done: false }) }) });
