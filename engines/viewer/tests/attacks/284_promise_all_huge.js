Promise.all(Array(1e6).fill(1)).then((all) => all.map(() => Promise.resolve()));
