// Lets the page that asked read the answer: copies the request's Origin to Access-Control-Allow-Origin where the origin
// server set none.
//
// Attach at:  viewer-response, runtime cloudfront-js-2.0
// Edit:       nothing. Any page may read the answers then; for chosen ones use `cors`.

async function handler(event) {
  const request = event.request;
  const response = event.response;
  const origin = request.headers.origin;
  if (origin && !response.headers['access-control-allow-origin']) {
    response.headers['access-control-allow-origin'] = { value: origin.value };
    console.log('Access-Control-Allow-Origin was missing, set to the request\'s Origin');
  }
  return response;
}
