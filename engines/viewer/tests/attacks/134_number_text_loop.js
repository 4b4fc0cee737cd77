for (;;) (5e-324).toString(3) + (1e20).toFixed(100) + (1e21).toPrecision(100);
