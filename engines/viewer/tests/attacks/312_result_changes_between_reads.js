// Every read gives something of another type.
function handler() {
  let n = 0;
  const odd = () => [undefined, null, 7, 'x', {}, [], Symbol('s'), 1n][n++ % 8];
  return new Proxy({}, { get: odd, ownKeys: () => ['a', 'b'], getOwnPropertyDescriptor: () => ({ value: odd(), configurable: true, enumerable: true }) });
}
