const lists = [];
function keep() { lists.push(arguments); }
for (;;) keep(1, 2, 3, 4, 5, 6, 7, 8);
