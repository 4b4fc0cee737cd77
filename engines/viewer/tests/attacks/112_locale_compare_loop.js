const accents = 'e\u0301'.repeat(1e5);
for (;;) accents.localeCompare(accents + 'a');
