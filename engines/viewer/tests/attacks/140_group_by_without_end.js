Object.groupBy({ [Symbol.iterator]: () => ({ next: () => ({ value: 1, done: false }) }) }, () => 'k');
