function Again() { Reflect.construct(Again, [], Array); }
new Again();
