// viewer-request: the application's own paths, which have no ending, all get its page.

/** @param {AWSCloudFrontFunction.Event} event */
function handler(event) {
  const request = event.request;
  const name = request.uri.slice(request.uri.lastIndexOf('/') + 1);
  if (!name.includes('.')) {
    request.uri = '/index.html';
  }
  return request;
}
