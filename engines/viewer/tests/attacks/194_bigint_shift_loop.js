let shifted = 1n;
for (;;) shifted <<= 1000000n;
