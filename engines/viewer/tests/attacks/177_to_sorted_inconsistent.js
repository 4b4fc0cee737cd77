let side = 1;
Array.from({ length: 1000 }, (_, i) => ({ i })).toSorted((a, b) => (a.i % 3 === b.i % 5 ? (side = -side) : NaN));
