const iota = '\u0390'.repeat(1e5);
for (;;) iota.toUpperCase();
