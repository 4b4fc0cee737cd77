Object.groupBy(Array.from({ length: 1e6 }, (_, i) => i), (i) => 'g' + i);
