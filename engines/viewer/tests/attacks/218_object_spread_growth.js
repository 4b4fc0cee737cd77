let spread = {};
for (let i = 0; ; i++) spread = { ...spread, ['p' + i]: spread };
