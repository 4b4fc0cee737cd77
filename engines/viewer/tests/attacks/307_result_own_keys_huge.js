function handler() {
  const names = Array.from({ length: 1e6 }, (_, i) => 'h' + i);
  return { uri: '/', headers: new Proxy({}, { ownKeys: () => names, getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) }) };
}
