// Serves single-page applications and folders: an address without a file name gets index.html.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0
// Edit:       nothing. `index-rewrite` also knows folders with a dot in their names.

async function handler(event) {
  const request = event.request;
  const uri = request.uri;
  if (uri.endsWith('/')) {
    request.uri += 'index.html';
  } else if (!uri.includes('.')) {
    request.uri += '/index.html';
  }
  return request;
}
