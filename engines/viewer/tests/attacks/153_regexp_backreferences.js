/^(a*)*\1\1\1c$/.test('a'.repeat(60));
