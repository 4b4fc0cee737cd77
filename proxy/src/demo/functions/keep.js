// origin-response: runs when the origin has answered, before the answer is stored.
// The twin of keep.py, for machines without Python.

const MAX_AGE = { 'text/html': 30, 'text/css': 3600 }; // seconds by content type
const OTHERS = 300;

exports.handler = async (event) => {
  const cf = event.Records[0].cf;
  const response = cf.response;
  const headers = response.headers;
  if (response.status !== '200') {
    return response;
  }

  const lines = headers['content-type'];
  const contentType = lines ? lines[0].value.split(';')[0] : '';
  const seconds = MAX_AGE[contentType] || OTHERS;
  headers['cache-control'] = [{ key: 'Cache-Control', value: `public, max-age=${seconds}` }];

  // Both are stored with the answer: a hit repeats them as they are.
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  headers['x-demo-stored-at'] = [{ key: 'X-Demo-Stored-At', value: now }];
  headers['x-demo-stored-by'] = [{ key: 'X-Demo-Stored-By', value: 'keep.js' }];

  // What ask.js told the origin, shown to the viewer.
  if (cf.request.headers['x-demo-origin']) {
    headers['x-demo-origin'] = cf.request.headers['x-demo-origin'];
  }
  return response;
};
