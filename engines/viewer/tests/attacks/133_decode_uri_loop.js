const encoded = '%F0%9F%98%80'.repeat(1e5);
for (;;) decodeURIComponent(encoded);
