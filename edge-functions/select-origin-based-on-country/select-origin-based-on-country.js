// Asks the copy of the site that is nearest to the viewer's country.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0. The cache policy (or the origin request policy) has to name
//             cloudfront-viewer-country.
// Edit:       COPIES; countries that are not listed go to the behavior's own origin. Each copy's answers are stored apart.
//
// Access control of S3 means nothing to edgehook, which says so once; on Amazon it signs the requests.

import cf from 'cloudfront';

const COPIES = {
  DE: { domainName: 'site-eu.s3.eu-central-1.amazonaws.com', region: 'eu-central-1' },
  FR: { domainName: 'site-eu.s3.eu-central-1.amazonaws.com', region: 'eu-central-1' },
  JP: { domainName: 'site-ap.s3.ap-northeast-1.amazonaws.com', region: 'ap-northeast-1' },
};

function handler(event) {
  const request = event.request;
  const country = request.headers['cloudfront-viewer-country'];
  const copy = country && Object.keys(COPIES).includes(country.value) ? COPIES[country.value] : undefined;
  if (copy) {
    cf.updateRequestOrigin({
      domainName: copy.domainName,
      originAccessControlConfig: {
        enabled: true,
        region: copy.region,
        signingBehavior: 'always',
        signingProtocol: 'sigv4',
        originType: 's3',
      },
    });
  }
  return request;
}
