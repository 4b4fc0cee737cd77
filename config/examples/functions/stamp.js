// viewer-response: one header on everything that leaves, hit or miss.
function handler(event) {
  const response = event.response;
  response.headers['x-edge'] = { value: 'edgehook' };
  return response;
}
