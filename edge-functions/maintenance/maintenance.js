// Closes parts of the site for maintenance: a 503 page with Retry-After instead of a call to the origin.
//
// Attach at:  origin-request, runtime nodejs (handler "handler")
// Edit:       CLOSED, path prefixes: the switch. [] closes nothing, ['/'] everything. OPEN, prefixes that answer all
//             the same. PASS_HEADER and PASS_WORD: requests with it reach the origin, to look before the doors open
//             again. RETRY_AFTER, seconds
//
// Pages in the cache are served as before: only what needs the origin is refused, and the refusal is never stored.
// Origin hooks see a header only if the cache policy includes it (`headers = { include = ["x-pass"] }`); that also
// keeps what the testers see apart from what everyone sees. PASS_WORD keeps out passers-by, no more: change it.

const CLOSED = ['/shop/'];
const OPEN = ['/shop/health'];
const PASS_HEADER = 'x-pass';
const PASS_WORD = 'opensesame';
const RETRY_AFTER = '600';

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Back soon</title>
</head>
<body>
<h1>Back soon</h1>
<p>This part of the site is being worked on. Please come back in a few minutes.</p>
</body>
</html>
`;

function isClosed(uri) {
  const startsUri = (prefix) => uri.startsWith(prefix);
  return CLOSED.some(startsUri) && !OPEN.some(startsUri);
}

function mayPass(headers) {
  const lines = headers[PASS_HEADER];
  return lines !== undefined && lines[0].value === PASS_WORD;
}

exports.handler = async (event) => {
  const request = event.Records[0].cf.request;
  if (!isClosed(request.uri) || mayPass(request.headers)) {
    return request;
  }
  return {
    status: '503',
    statusDescription: 'Service Unavailable',
    headers: {
      'content-type': [{ key: 'Content-Type', value: 'text/html; charset=utf-8' }],
      'cache-control': [{ key: 'Cache-Control', value: 'no-store' }],
      'retry-after': [{ key: 'Retry-After', value: RETRY_AFTER }],
    },
    body: PAGE,
    bodyEncoding: 'text',
  };
};
