function handler(event) {
  for (const o of [event, event.request, event.request.headers, event.request.querystring]) Object.setPrototypeOf(o, null);
  Object.freeze(event.request.headers);
  return event.request;
}
