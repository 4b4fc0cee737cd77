let steps = [1].values();
for (let i = 0; i < 2e5; i++) steps = steps.map((x) => x);
steps.next();
