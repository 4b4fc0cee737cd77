const pending = new Promise(() => {});
for (;;) Promise.race([pending, pending]);
