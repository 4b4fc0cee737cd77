Reflect.construct(Array, { length: 1e9 });
