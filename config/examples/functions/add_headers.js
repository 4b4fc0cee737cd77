// origin-response: one header on everything that is stored.
exports.handler = async (event) => {
  const response = event.Records[0].cf.response;
  response.headers['x-served-by'] = [{ key: 'X-Served-By', value: 'edgehook' }];
  return response;
};
