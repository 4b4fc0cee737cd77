('a'.repeat(1e6) + 'c').indexOf('a'.repeat(5e5) + 'b');
