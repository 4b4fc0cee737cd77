// Lets only requests pass whose query holds a valid HS256 token in `jwt`; the secret lies in a key value store. All others get
// 401. The token does not go on.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0, with a key value store
// Edit:       SECRET (the key whose value is the secret) and PARAMETER
//
// Checked: form, alg, signature (without stopping at the first difference), exp and nbf. Tokens in addresses end up in logs and
// histories; `hs256-token` takes them from a header or cookie.

import crypto from 'crypto';
import cf from 'cloudfront';

const SECRET = 'jwt.secret';
const PARAMETER = 'jwt';
const REFUSED = { statusCode: 401, statusDescription: 'Unauthorized' };

const store = cf.kvs();

function same(left, right) {
  if (left.length !== right.length) {
    return false;
  }
  let differs = 0;
  for (let i = 0; i < left.length; i++) {
    differs |= left.charCodeAt(i) ^ right.charCodeAt(i);
  }
  return differs === 0;
}

function decoded(part) {
  return JSON.parse(Buffer.from(part, 'base64url'));
}

function verified(token, secret) {
  const parts = token.split('.');
  if (parts.length !== 3) {
    throw new Error('not a token');
  }
  if (decoded(parts[0]).alg !== 'HS256') {
    throw new Error('wrong algorithm');
  }
  const signature = crypto.createHmac('sha256', secret).update(`${parts[0]}.${parts[1]}`).digest('base64url');
  if (!same(signature, parts[2])) {
    throw new Error('wrong signature');
  }
  const claims = decoded(parts[1]);
  const now = Date.now() / 1000;
  if (typeof claims.exp !== 'number' || now >= claims.exp || (claims.nbf !== undefined && now < claims.nbf)) {
    throw new Error('expired, or not valid yet');
  }
  return claims;
}

async function handler(event) {
  const request = event.request;
  const token = request.querystring[PARAMETER];
  if (!token) {
    console.log('no token');
    return REFUSED;
  }
  const secret = await store.get(SECRET);
  try {
    verified(token.value, secret);
  } catch (error) {
    console.log(error);
    return REFUSED;
  }
  delete request.querystring[PARAMETER];
  console.log('Valid JWT token');
  return request;
}
