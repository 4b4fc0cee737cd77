let nested = [1];
for (let i = 0; i < 2e5; i++) nested = [nested];
nested.toLocaleString();
