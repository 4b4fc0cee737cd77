let joined = [1, 2, 3];
for (;;) joined = joined.concat(joined);
