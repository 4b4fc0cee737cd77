// A/B test whose settings are in a key value store: a share of the viewers gets the paths under another prefix, and keeps to it by
// cookie.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0, with a key value store
// Edit:       KVS_ID (the store's id), KEY and COOKIE. The key's value is JSON such as
//             {"share":0.5,"prefix":"/b"}: share of viewers, and the prefix of their paths.
//
// Without the store or the key every request goes on as it came. Set the cookie in a viewer-response function or in the page.

import cf from 'cloudfront';

const KVS_ID = '0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10';
const KEY = 'experiment';
const COOKIE = 'variant';

async function handler(event) {
  const request = event.request;
  try {
    const store = cf.kvs(KVS_ID);
    const experiment = JSON.parse(await store.get(KEY));
    const cookie = request.cookies[COOKIE];
    const chosen = cookie ? cookie.value === 'b' : Math.random() < experiment.share;
    if (chosen) {
      request.uri = experiment.prefix + request.uri;
    }
  } catch (error) {
    console.log(`experiment skipped: ${error}`);
  }
  return request;
}
