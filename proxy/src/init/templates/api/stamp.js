// viewer-request: the service learns which request this was, under the id that is in the edge's logs too.

/** @param {AWSCloudFrontFunction.Event} event */
function handler(event) {
  const request = event.request;
  request.headers['x-request-id'] = { value: event.context.requestId };
  return request;
}
