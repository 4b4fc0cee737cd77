function handler() { throw new AggregateError(Array.from({ length: 2e4 }, (_, i) => new Error('x' + i)), 'many'); }
