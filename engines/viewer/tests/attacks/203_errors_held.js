const errors = [];
for (;;) errors.push(new Error('x'.repeat(1e3)), new RangeError('y', { cause: errors }));
