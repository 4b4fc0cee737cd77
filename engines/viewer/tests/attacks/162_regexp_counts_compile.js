new RegExp('(?:'.repeat(6) + 'a?' + '){1000}'.repeat(6)).test('b');
