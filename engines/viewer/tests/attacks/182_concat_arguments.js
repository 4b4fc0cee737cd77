'x'.concat(...Array(1e4).fill('y'.repeat(1e5)));
