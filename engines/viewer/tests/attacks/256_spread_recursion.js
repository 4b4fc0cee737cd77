const spreads = { [Symbol.iterator]: () => [...spreads][Symbol.iterator]() };
[...spreads];
