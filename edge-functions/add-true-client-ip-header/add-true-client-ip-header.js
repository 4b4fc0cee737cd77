// Tells the origin the viewer's address in True-Client-IP.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0
// Edit:       nothing. The header reaches the origin only if a policy forwards it; in a cache key it would part the cache by
//             viewer, so use it where answers are not stored, or name it in an origin request policy.

async function handler(event) {
  const request = event.request;
  request.headers['true-client-ip'] = { value: event.viewer.ip };
  return request;
}
