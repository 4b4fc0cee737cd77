function handler(event) {
  event.request.uri = '/\ud800';
  event.request.headers['\udc00'] = { value: '\ud800\ud800' };
  return event.request;
}
