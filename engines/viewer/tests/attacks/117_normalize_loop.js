const composed = '\u1e9b\u0323'.repeat(1e5);
for (;;) composed.normalize('NFKD');
