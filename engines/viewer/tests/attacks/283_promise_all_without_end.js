Promise.all((function* () { for (;;) yield 1; })());
