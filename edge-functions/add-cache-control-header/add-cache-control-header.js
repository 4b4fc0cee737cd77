// Sets Cache-Control on every answer that is neither an error nor odd, whatever the origin wrote.
//
// Attach at:  viewer-response, runtime cloudfront-js-2.0
// Edit:       VALUE
//
// Browsers obey it; the edge's cache does not see it, since viewer-response runs behind the cache.

const VALUE = 'public, max-age=63072000';

async function handler(event) {
  const response = event.response;
  if (response.statusCode >= 200 && response.statusCode < 400) {
    response.headers['cache-control'] = { value: VALUE };
  }
  return response;
}
