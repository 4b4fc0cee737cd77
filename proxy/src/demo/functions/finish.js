// viewer-response: runs for every answer, from the cache or from the origin. What it adds is never stored.

const SECURITY = {
  'content-security-policy': "default-src 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'strict-origin-when-cross-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

function handler(event) {
  const response = event.response;
  Object.keys(SECURITY).forEach(function (name) {
    response.headers[name] = { value: SECURITY[name] };
  });

  // The request is readable here as viewer-request left it.
  const seen = event.request.headers['x-demo'];
  response.headers['x-demo-viewer'] = { value: 'added by finish.js; request ' + (seen ? seen.value : 'not seen') };
  return response;
}
