new RegExp('^(?:' + '(a)?'.repeat(2000) + ')*b').test('a'.repeat(1e4));
