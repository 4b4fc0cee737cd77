function handler(event) {
  handler = () => { for (;;); };
  globalThis.handler = handler;
  return event.request;
}
