const [...rest] = (function* () { for (;;) yield 1; })();
