let wrapped = Promise.resolve(1);
for (let i = 0; i < 2e5; i++) { const inner = wrapped; wrapped = new Promise((resolve) => resolve(inner)); }
