// Replaces the origin's bare error pages by a friendly one; the status stays.
//
// Attach at:  origin-response, runtime nodejs (handler "handler")
// Edit:       PAGES (status -> heading and sentence), RETRY_AFTER (seconds, for 503), page()
//
// Only answers to viewers who take HTML are replaced: where the request says with Accept that it wants something else
// (a script asking for JSON), the origin's own body stays. The edge forwards Accept only where the cache policy
// includes it; without it every error is replaced. The page contains nothing that the viewer sent.
// Server errors are marked no-store, so that they end when the trouble ends; a 404 keeps its own cache headers.

const PAGES = {
  404: ['Page not found', 'Nothing lives at this address. The link may be old, or there is a slip in it.'],
  500: ['Something broke', 'The site hit an error of its own. Please try again in a moment.'],
  502: ['No proper answer', 'A part of the site does not answer as it should. Please try again in a moment.'],
  503: ['Very busy', 'The site has more to do than it can manage just now. Please try again shortly.'],
  504: ['Too slow', 'A part of the site took too long to answer. Please try again in a moment.'],
};
const RETRY_AFTER = '30';

// They describe the body that is replaced.
const OF_OLD_BODY = [
  'content-encoding', 'content-language', 'content-length', 'content-range', 'etag', 'last-modified',
];

function page(status, heading, sentence) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${heading}</title>
</head>
<body>
<h1>${heading}</h1>
<p>${sentence}</p>
<p><a href="/">To the front page</a> <small>(${status})</small></p>
</body>
</html>
`;
}

function takesHtml(request) {
  const lines = request.headers.accept;
  return !lines || lines.some((line) => /text\/html|\*\/\*/i.test(line.value));
}

exports.handler = async (event) => {
  const cf = event.Records[0].cf;
  const response = cf.response;
  const texts = PAGES[response.status];
  if (!texts || !takesHtml(cf.request)) {
    return response;
  }
  const headers = response.headers;
  for (const name of OF_OLD_BODY) {
    delete headers[name];
  }
  headers['content-type'] = [{ key: 'Content-Type', value: 'text/html; charset=utf-8' }];
  if (Number(response.status) >= 500) {
    headers['cache-control'] = [{ key: 'Cache-Control', value: 'no-store' }];
  }
  if (String(response.status) === '503' && !headers['retry-after']) {
    headers['retry-after'] = [{ key: 'Retry-After', value: RETRY_AFTER }];
  }
  response.body = page(response.status, texts[0], texts[1]);
  response.bodyEncoding = 'text';
  return response;
};
