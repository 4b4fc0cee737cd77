async function handler(event) {
  Object.defineProperty(Object.prototype, 'then', { get() { for (;;); } });
  return event.request;
}
