// Redirects old paths to new ones from a table; the query string is kept.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0
// Edit:       TABLE, read from top to bottom, the first match wins. `from` ending in * matches every path that starts
//             so, and a * at the end of `to` stands for the rest. `to` is a path or a whole URL. `status` is 301 (for
//             good: browsers remember it) or 302.
//
// The rest of a wildcard loses its leading slashes, so that no path can turn /* into //other-site.example.

const TABLE = [
  { from: '/old-page', to: '/new-page', status: 301 },
  { from: '/sale', to: '/offers?from=sale', status: 302 },
  { from: '/blog/*', to: '/articles/*', status: 301 },
  { from: '/v1/*', to: '/*', status: 301 },
  { from: '/forum/*', to: 'https://forum.example.com/', status: 302 },
];

const PHRASES = { 301: 'Moved Permanently', 302: 'Found' };

function target(rule, uri) {
  if (!rule.from.endsWith('*')) {
    return uri === rule.from ? rule.to : null;
  }
  const prefix = rule.from.slice(0, -1);
  if (!uri.startsWith(prefix)) {
    return null;
  }
  if (!rule.to.endsWith('*')) {
    return rule.to;
  }
  return rule.to.slice(0, -1) + uri.slice(prefix.length).replace(/^[/\\]+/, '');
}

function queryText(querystring) {
  const parts = [];
  Object.keys(querystring).forEach(function (name) {
    const field = querystring[name];
    (field.multiValue || [field]).forEach(function (item) {
      parts.push(name + '=' + item.value);
    });
  });
  return parts.join('&');
}

function handler(event) {
  const request = event.request;
  for (let i = 0; i < TABLE.length; i++) {
    let location = target(TABLE[i], request.uri);
    if (location !== null) {
      const query = queryText(request.querystring);
      if (query !== '') {
        location += (location.includes('?') ? '&' : '?') + query;
      }
      return {
        statusCode: TABLE[i].status,
        statusDescription: PHRASES[TABLE[i].status],
        headers: { location: { value: location } },
        cookies: {},
      };
    }
  }
  return request;
}
