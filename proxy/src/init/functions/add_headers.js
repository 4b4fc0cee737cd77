// origin-response: when the origin has answered, before the answer is stored. Hits repeat what is added here.

/** @param {CloudFrontResponseEvent} event */
exports.handler = async (event) => {
  const response = event.Records[0].cf.response;
  const headers = response.headers;
  headers['x-content-type-options'] = [{ key: 'X-Content-Type-Options', value: 'nosniff' }];
  if (response.status === '200' && !headers['cache-control']) {
    headers['cache-control'] = [{ key: 'Cache-Control', value: 'public, max-age=60' }];
  }
  return response;
};
