// Adds an Origin header made of Host where the viewer sent none: for origin servers that answer CORS only to requests with one,
// so that what is stored fits every page.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0
// Edit:       nothing. Name `origin` in the cache policy's headers, or it does not reach the origin.

async function handler(event) {
  const request = event.request;
  const headers = request.headers;
  if (!headers.origin) {
    headers.origin = { value: `https://${headers.host.value}` };
  }
  return request;
}
