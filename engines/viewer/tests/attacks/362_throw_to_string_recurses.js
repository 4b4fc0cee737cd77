function handler() {
  const p = new Proxy({}, {});
  p.__proto__ = p;
  throw { get message() { return p.zzz; } };
}
