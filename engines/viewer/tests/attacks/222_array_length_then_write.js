const late = [];
late.length = 2 ** 32 - 1;
late.fill(0);
