const elements = [];
for (let i = 1; ; i++) elements[2 ** 32 - 1 - i * 2] = i;
