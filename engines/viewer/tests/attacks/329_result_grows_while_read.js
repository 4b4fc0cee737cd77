function handler() {
  const headers = {};
  const grow = () => ({ enumerable: true, configurable: true, get() { for (let i = 0; i < 100; i++) Object.defineProperty(headers, 'k' + Math.random(), grow()); return { value: 'v' }; } });
  Object.defineProperty(headers, 'k', grow());
  return { uri: '/', headers };
}
