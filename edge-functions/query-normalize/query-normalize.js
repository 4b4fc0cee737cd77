// Brings query strings into one form, so that links which mean the same share one cache entry: tracking parameters are
// dropped and the rest is sorted by name.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0
// Edit:       DROPPED (whole names), DROPPED_PREFIXES, LOWER_NAMES (true where the origin ignores the case of names)
//
// Names and values stay as they were written, without decoding. Several values of one name keep their order.
// Only parameters that the cache policy includes are in the cache key at all; this function is for policies that
// include many or all of them.

const DROPPED = ['fbclid', 'gclid', 'dclid', 'msclkid', 'yclid', 'mc_cid', 'mc_eid', '_ga', 'igshid'];
const DROPPED_PREFIXES = ['utm_', 'pk_', 'mtm_'];
const LOWER_NAMES = false;

function isDropped(name) {
  const lower = name.toLowerCase();
  return DROPPED.includes(lower) || DROPPED_PREFIXES.some(function (prefix) { return lower.startsWith(prefix); });
}

// By name; parameters of one name stay in the order they came in, whatever the engine's sort does with equals.
function byName(a, b) {
  if (a.name !== b.name) {
    return a.name < b.name ? -1 : 1;
  }
  return a.place - b.place;
}

function handler(event) {
  const request = event.request;
  const kept = [];
  Object.keys(request.querystring).forEach(function (name) {
    if (isDropped(name)) {
      return;
    }
    const field = request.querystring[name];
    (field.multiValue || [field]).forEach(function (item) {
      kept.push({ name: LOWER_NAMES ? name.toLowerCase() : name, value: item.value, place: kept.length });
    });
  });
  kept.sort(byName);
  request.querystring = kept.map(function (item) { return item.name + '=' + item.value; }).join('&');
  return request;
}
