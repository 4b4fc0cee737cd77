let mapped = [1];
for (;;) mapped = mapped.flatMap((x) => [x, x, [x]]);
