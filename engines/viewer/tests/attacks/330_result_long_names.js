function handler(event) {
  event.request.headers['x'.repeat(4e6)] = 1;
  return event.request;
}
