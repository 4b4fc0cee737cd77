// Sets the cookie that keeps a viewer in the bucket which `ab-cookie` chose.
//
// Attach at:  viewer-response, runtime cloudfront-js-2.0; pairs with `ab-cookie` at viewer-request
// Edit:       COOKIE (the same in ab-cookie.js), ATTRIBUTES
//
// The cookie is sent only when the viewer does not hold it already. What a viewer-response function adds is never
// stored, so no viewer receives another one's cookie from the cache.

const COOKIE = 'ab';
const ATTRIBUTES = 'Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax';

function handler(event) {
  const response = event.response;
  const bucket = event.request.headers['x-ab-bucket'];
  const held = event.request.cookies[COOKIE];
  if (bucket && !(held && held.value === bucket.value)) {
    response.cookies[COOKIE] = { value: bucket.value, attributes: ATTRIBUTES };
  }
  return response;
}
