/^(?:a|aa|aaa)+$/.test('a'.repeat(100) + '!');
