const inside = [];
inside.push(inside);
inside.flat(Infinity);
