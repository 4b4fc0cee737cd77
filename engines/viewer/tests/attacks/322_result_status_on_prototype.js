// The whole outcome is read through a getter that the run left on Object.prototype.
function handler(event) {
  Object.defineProperty(Object.prototype, 'statusCode', { get() { for (;;); } });
  return event.request;
}
