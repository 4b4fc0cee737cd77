function handler() {
  let settle;
  const p = new Promise((resolve) => { settle = resolve; });
  settle(p);
  return p;
}
