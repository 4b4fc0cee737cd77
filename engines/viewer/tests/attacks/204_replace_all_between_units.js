'a'.repeat(1e6).replaceAll('', 'x'.repeat(1000));
