/.*.*.*.*.*.*=/.test('x'.repeat(5e4));
