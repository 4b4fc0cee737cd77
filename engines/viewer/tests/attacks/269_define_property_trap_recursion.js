const defined = new Proxy({}, { defineProperty: (t, name, d) => Reflect.defineProperty(defined, name, d) });
defined.x = 1;
