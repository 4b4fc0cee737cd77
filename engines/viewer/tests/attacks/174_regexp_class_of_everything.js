new RegExp('[' + Array.from({ length: 6e4 }, (_, i) => '\\u{' + (i * 17).toString(16) + '}').join('') + ']+$', 'iu').test('a'.repeat(1e5) + '!');
