// Renames the first part of the path by a table in a key value store: /old/page becomes /new/page where the key `old` has the
// value `new`.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0, with a key value store
// Edit:       nothing; the table is the store

import cf from 'cloudfront';

const store = cf.kvs();

async function handler(event) {
  const request = event.request;
  const parts = request.uri.split('/');
  try {
    parts[1] = await store.get(parts[1]);
    request.uri = parts.join('/');
  } catch (error) {
    console.log(`no entry for ${request.uri}: ${error}`);
  }
  return request;
}
