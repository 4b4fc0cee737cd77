const wide = '\uffff'.repeat(1e5);
for (;;) unescape(escape(wide));
