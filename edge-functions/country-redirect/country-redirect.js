// Sends viewers to the edition of the site for their country: / becomes /de/ for a viewer in Germany.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0
// Edit:       EDITIONS (the first path segments that are editions), COUNTRIES (which country reads which edition; a
//             country that is not listed stays where it is), COOKIE (a viewer's own choice: the name of an edition, or
//             any other word for "leave me here")
//
// Needs the request header CloudFront-Viewer-Country, which the behavior's cache policy must name and which edgehook knows from
// the database in [geo]; without it nothing is redirected. Only pages are: a path whose last segment has a dot (style.css)
// and methods other than GET and HEAD pass.

const EDITIONS = ['de', 'fr', 'ja'];
const COUNTRIES = { AT: 'de', CH: 'de', DE: 'de', BE: 'fr', FR: 'fr', JP: 'ja' };
const COOKIE = 'edition';

function edition(request) {
  const chosen = request.cookies[COOKIE];
  if (chosen) {
    return EDITIONS.includes(chosen.value) ? chosen.value : null;
  }
  const country = request.headers['cloudfront-viewer-country'];
  return country && COUNTRIES.hasOwnProperty(country.value) ? COUNTRIES[country.value] : null;
}

function queryText(querystring) {
  const parts = [];
  Object.keys(querystring).forEach(function (name) {
    const field = querystring[name];
    (field.multiValue || [field]).forEach(function (item) {
      parts.push(name + '=' + item.value);
    });
  });
  return parts.length === 0 ? '' : '?' + parts.join('&');
}

function handler(event) {
  const request = event.request;
  const segments = request.uri.split('/');
  const isPage = !segments[segments.length - 1].includes('.');
  if (!isPage || (request.method !== 'GET' && request.method !== 'HEAD') || EDITIONS.includes(segments[1])) {
    return request;
  }
  const name = edition(request);
  if (name === null) {
    return request;
  }
  return {
    statusCode: 302,
    statusDescription: 'Found',
    headers: {
      location: { value: '/' + name + request.uri + queryText(request.querystring) },
      'cache-control': { value: 'private, no-store' },
    },
    cookies: {},
  };
}
