const mine = { get x() { return this.x; } };
mine.x;
