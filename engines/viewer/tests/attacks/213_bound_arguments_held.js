let bound = () => 1;
const thousand = Array(1000).fill(bound);
for (;;) bound = bound.bind(null, ...thousand);
