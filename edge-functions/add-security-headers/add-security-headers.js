// Adds the headers that switch on browsers' protections, with fixed values.
//
// Attach at:  viewer-response, runtime cloudfront-js-2.0
// Edit:       the values; the content security policy below lets pages load only what is theirs. `security-headers` is the
//             version that spares what the origin has set.

const HEADERS = {
  'strict-transport-security': { value: 'max-age=63072000; includeSubDomains; preload' },
  'content-security-policy': { value: "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; frame-ancestors 'none'" },
  'x-content-type-options': { value: 'nosniff' },
  'x-frame-options': { value: 'DENY' },
  'x-xss-protection': { value: '1; mode=block' },
  'referrer-policy': { value: 'same-origin' },
};

async function handler(event) {
  const response = event.response;
  Object.assign(response.headers, HEADERS);
  return response;
}
