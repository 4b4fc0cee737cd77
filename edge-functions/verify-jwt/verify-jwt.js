// Lets only requests pass whose query holds a valid HS256 token in `jwt`; all others get 401. For the first runtime; with the second
// use `kvs-jwt-verify`, or `hs256-token`, which needs no modules.
//
// Attach at:  viewer-request, runtime cloudfront-js-1.0
// Edit:       SECRET: the one below is public. PARAMETER

var crypto = require('crypto');

var SECRET = 'public-example-secret-replace-me-0123456789';
var PARAMETER = 'jwt';
var REFUSED = { statusCode: 401, statusDescription: 'Unauthorized' };

function same(left, right) {
  if (left.length !== right.length) {
    return false;
  }
  var differs = 0;
  for (var i = 0; i < left.length; i++) {
    differs |= left.charCodeAt(i) ^ right.charCodeAt(i);
  }
  return differs === 0;
}

function decoded(part) {
  return JSON.parse(String.bytesFrom(part, 'base64url'));
}

function verify(token) {
  var parts = token.split('.');
  if (parts.length !== 3) {
    throw new Error('not a token');
  }
  if (decoded(parts[0]).alg !== 'HS256') {
    throw new Error('wrong algorithm');
  }
  var signature = crypto.createHmac('sha256', SECRET).update(parts[0] + '.' + parts[1]).digest('base64url');
  if (!same(signature, parts[2])) {
    throw new Error('wrong signature');
  }
  var claims = decoded(parts[1]);
  var now = Date.now() / 1000;
  if (typeof claims.exp !== 'number' || now >= claims.exp || (claims.nbf !== undefined && now < claims.nbf)) {
    throw new Error('expired, or not valid yet');
  }
}

function handler(event) {
  var request = event.request;
  var token = request.querystring[PARAMETER];
  if (!token) {
    return REFUSED;
  }
  try {
    verify(token.value);
  } catch (error) {
    console.log(error);
    return REFUSED;
  }
  delete request.querystring[PARAMETER];
  return request;
}
