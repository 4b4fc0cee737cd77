// viewer-request: every request, before the cache is asked.
// Returns the request to go on with it, or a response (an object with statusCode) to answer at once.

const REDIRECTS = {
  '/old-page': '/about/',
};

/** @param {AWSCloudFrontFunction.Event} event */
function handler(event) {
  const request = event.request;

  if (REDIRECTS.hasOwnProperty(request.uri)) {
    return {
      statusCode: 301,
      statusDescription: 'Moved Permanently',
      headers: { location: { value: REDIRECTS[request.uri] } },
      cookies: {},
    };
  }

  // /about/ and /about become /about/index.html.
  const last = request.uri.substring(request.uri.lastIndexOf('/') + 1);
  if (last === '') {
    request.uri += 'index.html';
  } else if (last.indexOf('.') === -1) {
    request.uri += '/index.html';
  }
  return request;
}
