// Puts every viewer into a bucket of an A/B test and keeps it there by a cookie.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0; pairs with `ab-cookie-set` at viewer-response, which sets the
//             cookie (a viewer-request function cannot set one and let the request go on)
// Edit:       COOKIE (the same in ab-cookie-set.js), BUCKETS and their weights (any positive numbers)
//
// The bucket goes on in the request header x-ab-bucket; the viewer's own header of that name is replaced. Put
// `headers = { include = ["x-ab-bucket"] }` into the cache policy: it caches the buckets apart and shows the header to
// the origin. A cookie that names no bucket of today is drawn anew, so removed buckets empty themselves.

const COOKIE = 'ab';
const BUCKETS = [
  { name: 'control', weight: 90 },
  { name: 'new', weight: 10 },
];

function isBucket(name) {
  return BUCKETS.some(function (bucket) { return bucket.name === name; });
}

function draw() {
  let rest = Math.random() * BUCKETS.reduce(function (sum, bucket) { return sum + bucket.weight; }, 0);
  for (let i = 0; i < BUCKETS.length; i++) {
    rest -= BUCKETS[i].weight;
    if (rest < 0) {
      return BUCKETS[i].name;
    }
  }
  return BUCKETS[0].name;
}

function handler(event) {
  const request = event.request;
  const cookie = request.cookies[COOKIE];
  const name = cookie && isBucket(cookie.value) ? cookie.value : draw();
  request.headers['x-ab-bucket'] = { value: name };
  return request;
}
