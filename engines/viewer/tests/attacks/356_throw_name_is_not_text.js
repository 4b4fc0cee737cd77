function handler() {
  const e = new Error('x');
  e.name = { toString() { for (;;); } };
  e.message = { toString() { for (;;); } };
  throw e;
}
