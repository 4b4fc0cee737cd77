const wide = {};
for (let i = 0; ; i++) wide['k' + i] = i;
