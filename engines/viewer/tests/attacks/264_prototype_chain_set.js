let heir = {};
for (let i = 0; i < 2e5; i++) heir = Object.create(heir);
heir.x = 1;
for (const name in heir);
