'x'.repeat(2e6).split('');
