new RegExp(Array.from({ length: 2e5 }, (_, i) => 'x' + i).join('|')).test('x'.repeat(1e5));
