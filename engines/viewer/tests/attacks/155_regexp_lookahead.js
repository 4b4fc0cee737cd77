/^(?=(a+)+b)/.test('a'.repeat(60));
