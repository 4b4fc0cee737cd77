function handler(event) {
  globalThis.kept = event;
  Object.getPrototypeOf(event.request).hidden = event.request.headers;
  Object.freeze(event);
  return event.request;
}
