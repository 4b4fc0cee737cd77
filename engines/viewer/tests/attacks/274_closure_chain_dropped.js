let link = () => 0;
for (let i = 0; i < 2e5; i++) link = ((inner) => () => inner)(link);
link = null;
for (let i = 0; i < 1e5; i++) ({});
