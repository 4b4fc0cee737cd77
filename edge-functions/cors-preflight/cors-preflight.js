// Answers CORS preflight requests at the edge, so that they never reach the origin.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0; pairs with `cors` at viewer-response
// Edit:       ORIGINS (keep it equal to the one in cors.js), METHODS, HEADERS, MAX_AGE (seconds that browsers may
//             remember the answer), CREDENTIALS (whether cookies may be sent along)
//
// ORIGINS holds whole origins; `https://*.example.com` stands for every name below example.com, not for example.com
// itself. An origin that is not listed gets a 204 without permissions, which browsers take as a refusal.
// An OPTIONS request that is no preflight goes on to the origin.

const ORIGINS = ['https://www.example.com', 'https://*.example.org'];
const METHODS = 'GET, HEAD, POST, PUT, DELETE';
const HEADERS = 'authorization, content-type';
const MAX_AGE = '3600';
const CREDENTIALS = true;

function allowed(origin) {
  return ORIGINS.some(function (entry) {
    const star = entry.indexOf('*');
    if (star === -1) {
      return origin === entry;
    }
    const start = entry.slice(0, star);
    const end = entry.slice(star + 1);
    return origin.length > start.length + end.length && origin.startsWith(start) && origin.endsWith(end)
      && /^[a-z0-9.-]+$/.test(origin.slice(start.length, -end.length));
  });
}

function handler(event) {
  const request = event.request;
  const origin = request.headers.origin;
  if (request.method !== 'OPTIONS' || !origin || !request.headers['access-control-request-method']) {
    return request;
  }
  const headers = { vary: { value: 'Origin' } };
  if (allowed(origin.value)) {
    headers['access-control-allow-origin'] = { value: origin.value };
    headers['access-control-allow-methods'] = { value: METHODS };
    headers['access-control-allow-headers'] = { value: HEADERS };
    headers['access-control-max-age'] = { value: MAX_AGE };
    if (CREDENTIALS) {
      headers['access-control-allow-credentials'] = { value: 'true' };
    }
  }
  return { statusCode: 204, statusDescription: 'No Content', headers: headers, cookies: {} };
}
