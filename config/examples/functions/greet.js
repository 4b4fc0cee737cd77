// Lambda@Edge at viewer-request, in Node.js (engine = "node"): answers /hello itself.
exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (request.uri !== '/hello') return request;
  return { status: '200', body: `Hello from Node.js ${process.versions.node}\n` };
};
