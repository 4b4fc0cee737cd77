/(?<=^(a+)+)b/.test('c' + 'a'.repeat(40) + 'b');
