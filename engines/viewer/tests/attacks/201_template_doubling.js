let page = 'x'.repeat(16);
for (;;) page = `${page}${page}`;
