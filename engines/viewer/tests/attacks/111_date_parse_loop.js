const date = 'Thu, 01 Jan 1970 00:00:00 GMT+0000 (' + 'x'.repeat(1e5) + ')';
for (;;) Date.parse(date);
