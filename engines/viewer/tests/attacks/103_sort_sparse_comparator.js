const sparse = [];
sparse[2 ** 32 - 2] = 1;
sparse[7] = 2;
sparse.sort(() => 0);
