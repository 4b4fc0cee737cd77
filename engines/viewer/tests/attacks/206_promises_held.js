const promises = [];
for (;;) promises.push(new Promise(() => {}).then(() => promises));
