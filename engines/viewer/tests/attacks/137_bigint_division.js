const dividend = (1n << 8000000n) - 1n;
for (;;) dividend / ((1n << 4000000n) + 1n);
