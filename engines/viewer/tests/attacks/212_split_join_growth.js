let grown = 'ab'.repeat(10);
for (;;) grown = grown.split('').join(grown);
