// Adds the usual security headers to every answer.
//
// Attach at:  viewer-response, runtime cloudfront-js-2.0
// Edit:       ALWAYS, written over whatever the origin set; UNLESS_SET, where the origin knows better for its own
//             pages; REMOVED, headers that only tell strangers what runs behind the edge
//
// Start with a Content-Security-Policy that fits the site: this one allows the site's own files and nothing else.
// Strict-Transport-Security binds browsers for max-age seconds: lower it until HTTPS is known to work everywhere.

const ALWAYS = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
};

const UNLESS_SET = {
  'content-security-policy': "default-src 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'strict-origin-when-cross-origin',
};

const REMOVED = ['x-powered-by'];

function handler(event) {
  const response = event.response;
  const headers = response.headers;
  Object.keys(ALWAYS).forEach(function (name) {
    headers[name] = { value: ALWAYS[name] };
  });
  Object.keys(UNLESS_SET).forEach(function (name) {
    if (!headers[name]) {
      headers[name] = { value: UNLESS_SET[name] };
    }
  });
  REMOVED.forEach(function (name) {
    delete headers[name];
  });
  return response;
}
