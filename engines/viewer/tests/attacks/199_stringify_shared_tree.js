let shared = [];
for (let i = 0; i < 40; i++) shared = [shared, shared];
JSON.stringify(shared);
