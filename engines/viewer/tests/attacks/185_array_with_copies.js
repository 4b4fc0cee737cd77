const source = Array(1e5).fill(0);
const copies = [];
for (;;) copies.push(source.with(0, 1), source.toReversed(), source.toSpliced(0, 1));
