const compare = () => [2, 1].sort(compare).length;
compare();
