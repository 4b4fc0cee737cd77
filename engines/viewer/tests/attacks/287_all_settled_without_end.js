Promise.allSettled({ [Symbol.iterator]: () => ({ next: () => ({ value: Promise.reject(1), done: false }) }) });
