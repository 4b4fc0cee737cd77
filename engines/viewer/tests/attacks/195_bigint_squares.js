let square = 3n;
for (;;) square *= square;
