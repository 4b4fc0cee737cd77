let last = Promise.resolve();
for (let i = 0; i < 1e6; i++) last = last.finally(() => {});
