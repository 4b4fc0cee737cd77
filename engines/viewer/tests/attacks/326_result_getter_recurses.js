function handler() {
  const p = new Proxy({}, {});
  p.__proto__ = p;
  return { uri: '/', get headers() { return p.zzz; } };
}
