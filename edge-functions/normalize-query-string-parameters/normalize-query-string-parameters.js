// Brings the query into one order, names and values sorted, so that the same parameters in another order are the same to the cache.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0 (or 1.0)
// Edit:       nothing. `query-normalize` drops tracking parameters too.

function handler(event) {
  var query = event.request.querystring;
  var pairs = [];
  Object.keys(query).forEach((name) => {
    var values = query[name].multiValue || [query[name]];
    values.forEach((item) => pairs.push(name + '=' + item.value));
  });
  event.request.querystring = pairs.sort().join('&');
  return event.request;
}
