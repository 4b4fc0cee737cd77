for (;;) BigInt.asUintN(2 ** 28, -1n);
