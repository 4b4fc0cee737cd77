function handler(event) {
  const r = event.request;
  r.headers = r.cookies = r.querystring = { loop: r, headers: r };
  r.value = r;
  return r;
}
