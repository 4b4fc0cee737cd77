const sticky = /(?:a|b)*c/y;
const subject = 'ab'.repeat(1e5);
for (;;) { sticky.lastIndex = 0; sticky.exec(subject); }
