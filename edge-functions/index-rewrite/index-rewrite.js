// Serves folders by their index page: /docs/ and /docs both become /docs/index.html.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0
// Edit:       INDEX, the page's file name; UNTOUCHED, path prefixes whose last segment may lack a dot without being a
//             folder
//
// A last segment with a dot is taken for a file and stays as it is. Only the path changes: the query and the cache
// policy are as before, and /docs, /docs/ and /docs/index.html share one cache entry.

const INDEX = 'index.html';
const UNTOUCHED = ['/.well-known/'];

function handler(event) {
  const request = event.request;
  const uri = request.uri;
  if (UNTOUCHED.some(function (prefix) { return uri.startsWith(prefix); })) {
    return request;
  }
  const last = uri.substring(uri.lastIndexOf('/') + 1);
  if (last === '') {
    request.uri = uri + INDEX;
  } else if (last.indexOf('.') === -1) {
    request.uri = uri + '/' + INDEX;
  }
  return request;
}
