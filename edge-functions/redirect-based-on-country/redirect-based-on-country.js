// Sends viewers of one country to pages of their own.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0. The cache policy (or the origin request policy) has to name
//             cloudfront-viewer-country.
// Edit:       COUNTRY and PREFIX. `country-redirect` knows several countries and a cookie against them.

const COUNTRY = 'DE';
const PREFIX = '/de';

async function handler(event) {
  const request = event.request;
  const country = request.headers['cloudfront-viewer-country'];
  if (country && country.value === COUNTRY && !request.uri.startsWith(`${PREFIX}/`)) {
    return {
      statusCode: 302,
      statusDescription: 'Found',
      headers: { location: { value: PREFIX + request.uri } },
    };
  }
  return request;
}
