// viewer-request: runs for every request, before the cache is asked.

const INDEX = 'index.html';

function handler(event) {
  const request = event.request;

  // An answer made here goes to the viewer at once: no cache, no origin.
  if (request.uri === '/old-page' || request.uri === '/old-page.html') {
    return {
      statusCode: 301,
      statusDescription: 'Moved Permanently',
      headers: { location: { value: '/new-page' } },
      cookies: {},
    };
  }

  // What is left in `uri` is what the cache looks for and the origin is asked for: /docs/ and /docs are one entry.
  const last = request.uri.substring(request.uri.lastIndexOf('/') + 1);
  if (last === '') {
    request.uri += INDEX;
  } else if (request.uri === '/new-page') {
    request.uri += '.html';
  } else if (last.indexOf('.') === -1) {
    request.uri += '/' + INDEX;
  }

  // finish.js reads it at viewer-response. Whatever the viewer sent under this name is replaced.
  request.headers['x-demo'] = { value: 'seen by route.js' };
  return request;
}
