let n = 0;
const growing = { get length() { return 2 ** 32 + n++; }, get 0() { return 1; } };
for (;;) Array.prototype.findLast.call(growing, () => false);
