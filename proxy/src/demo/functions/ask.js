// origin-request: runs only when the origin is asked, so never on a cache hit.

let asked = 0; // module state lives as long as the function's environment

exports.handler = async (event) => {
  const request = event.Records[0].cf.request;
  asked += 1;
  console.log(`asking the origin for ${request.uri}, the ${asked}. time here`);
  request.headers['x-demo-origin'] = [{ key: 'X-Demo-Origin', value: `asked by ask.js, number ${asked}` }];
  return request;
};
