/(?:x|y)*?z/.test('xy'.repeat(2.5e6));
