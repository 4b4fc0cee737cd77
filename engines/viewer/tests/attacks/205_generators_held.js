const generators = [];
function* frame(...values) { yield values; }
for (;;) { const g = frame(1, 2, 3, 4); g.next(); generators.push(g); }
