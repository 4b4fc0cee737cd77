// Lets pages of chosen origins read the answers (CORS).
//
// Attach at:  viewer-response, runtime cloudfront-js-2.0; pairs with `cors-preflight` at viewer-request
// Edit:       ORIGINS (keep it equal to the one in cors-preflight.js), EXPOSED (response headers that scripts may
//             read), CREDENTIALS (whether cookies may be sent along)
//
// The permission is decided for each request and never stored, so one cached answer serves all origins; whatever the
// origin server wrote about it is replaced. Viewer-response does not run for statuses of 400 and above: scripts of
// other origins see those as network errors.

const ORIGINS = ['https://www.example.com', 'https://*.example.org'];
const EXPOSED = 'etag, x-total-count';
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

// Other caches on the way must keep the answers of different origins apart.
function varyByOrigin(headers) {
  const vary = headers.vary;
  if (!vary) {
    headers.vary = { value: 'Origin' };
    return;
  }
  const items = vary.multiValue || [vary];
  const names = items.map(function (item) { return item.value; }).join(',').toLowerCase().split(',');
  if (names.some(function (name) { return name.trim() === 'origin' || name.trim() === '*'; })) {
    return;
  }
  if (vary.multiValue) {
    vary.multiValue.push({ value: 'Origin' });
  } else {
    vary.value += ', Origin';
  }
}

function handler(event) {
  const response = event.response;
  const headers = response.headers;
  const origin = event.request.headers.origin;
  varyByOrigin(headers);
  delete headers['access-control-allow-origin'];
  delete headers['access-control-allow-credentials'];
  delete headers['access-control-expose-headers'];
  if (origin && allowed(origin.value)) {
    headers['access-control-allow-origin'] = { value: origin.value };
    headers['access-control-expose-headers'] = { value: EXPOSED };
    if (CREDENTIALS) {
      headers['access-control-allow-credentials'] = { value: 'true' };
    }
  }
  return response;
}
