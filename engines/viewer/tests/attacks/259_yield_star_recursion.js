function* deeper() { yield* deeper(); }
[...deeper()];
