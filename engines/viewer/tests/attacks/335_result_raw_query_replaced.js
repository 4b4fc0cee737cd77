function handler(event) {
  event.request.rawQueryString = () => { for (;;); };
  event.request.querystring = new Proxy(() => {}, { get() { for (;;); }, ownKeys() { for (;;); } });
  return event.request;
}
