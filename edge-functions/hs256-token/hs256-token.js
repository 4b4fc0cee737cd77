// Lets only requests with a valid HS256 token (JWT signed by HMAC-SHA-256) pass; all others get 401.
//
// Attach at:  viewer-request, runtime cloudfront-js-2.0
// Edit:       SECRET first of all: the one below is public. Use at least 32 random characters, taken as UTF-8.
//             COOKIE (where the token may be besides `Authorization: Bearer`), LEEWAY (seconds that clocks may differ),
//             REQUIRE_EXP, and claimsProblem() for claims of your own (iss, aud, ...)
//
// Checked: the form of the token, alg (HS256 only, never what the token asks for), crit (none is understood, RFC 7515
// 4.1.11), the signature in a comparison that does not stop at the first difference, exp and nbf. The subject goes on
// in the request header x-token-subject; the viewer's own header of that name never does. SHA-256 (FIPS 180-4) is
// written out here, so the function needs no modules. Its time grows with the token: MAX_LENGTH bounds it.
// A short token takes some 0.3 ms, the longest about 1 ms; on a slow machine raise the function's `budget` in edge.toml.

const SECRET = 'public-example-secret-replace-me-0123456789';
const COOKIE = 'token';
const LEEWAY = 30;
const REQUIRE_EXP = true;
const MAX_LENGTH = 512;

// Compiled once here rather than in every run.
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]{43}$/;
const SUBJECT = /^[\x21-\x7e]{1,128}$/;
const ESCAPED = /[%\x80-\xff]/g;

const K = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
].map(function (word) { return word | 0; });

const START = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
].map(function (word) { return word | 0; });

// One SHA-256 step: the state after 16 more words, which `w` holds in its first places (the rest is scratch).
function compress(state, w) {
  const k = K;
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    w[i] = (w[i - 16] + w[i - 7] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3)
      + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10)) | 0;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3];
  let e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const t1 = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (g ^ e & (f ^ g))
      + k[i] + w[i] | 0;
    const t2 = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ c & (a ^ b)) | 0;
    h = g;
    g = f;
    f = e;
    e = d + t1 | 0;
    d = c;
    c = b;
    b = a;
    a = t1 + t2 | 0;
  }
  return [
    state[0] + a | 0, state[1] + b | 0, state[2] + c | 0, state[3] + d | 0,
    state[4] + e | 0, state[5] + f | 0, state[6] + g | 0, state[7] + h | 0,
  ];
}

// SHA-256 of `text` (characters below 256, one byte each), going on from `state`, which `before` bytes have led to.
function hash(state, before, text) {
  const length = text.length;
  const blocks = (length + 72) >>> 6;
  const w = [];
  let at = 0;
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < 16; i++, at += 4) {
      if (at + 4 <= length) {
        w[i] = text.charCodeAt(at) << 24 | text.charCodeAt(at + 1) << 16 | text.charCodeAt(at + 2) << 8
          | text.charCodeAt(at + 3);
      } else {
        w[i] = tail(text, at);
      }
    }
    if (block === blocks - 1) {
      w[15] = (before + length) << 3;
    }
    state = compress(state, w);
  }
  return state;
}

// The word at `at` where the text ends: what is left of it, one bit, zeros.
function tail(text, at) {
  let word = 0;
  for (let i = 0; i < 4; i++) {
    const byte = at + i < text.length ? text.charCodeAt(at + i) : at + i === text.length ? 0x80 : 0;
    word = word << 8 | byte;
  }
  return word;
}

function toBytes(state) {
  return state.map(function (word) {
    return String.fromCharCode(word >>> 24, word >>> 16 & 255, word >>> 8 & 255, word & 255);
  }).join('');
}

// The state after one block of the key mixed with `pad` (RFC 2104). Computed once, when the function is loaded.
function keyState(key, pad) {
  const w = [];
  for (let i = 0; i < 64; i++) {
    w[i >> 2] = w[i >> 2] << 8 | (pad ^ (i < key.length ? key.charCodeAt(i) : 0));
  }
  return compress(START, w);
}

function secretKey() {
  const utf8 = encodeURIComponent(SECRET).replace(/%(..)/g, function (all, hex) {
    return String.fromCharCode(parseInt(hex, 16));
  });
  return utf8.length > 64 ? toBytes(hash(START, 0, utf8)) : utf8;
}

const INNER = keyState(secretKey(), 0x36);
const OUTER = keyState(secretKey(), 0x5c);

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const DIGITS = []; // by character code
for (let i = 0; i < 128; i++) {
  DIGITS[i] = Math.max(0, ALPHABET.indexOf(String.fromCharCode(i)));
}

// The signature of `text` (ASCII) in base64url: 43 digits of six bits, some of which straddle two words.
function signature(text) {
  const mac = hash(OUTER, 64, toBytes(hash(INNER, 64, text)));
  let out = '';
  for (let bit = 0; bit < 256; bit += 6) {
    const word = mac[bit >> 5];
    const shift = 26 - (bit & 31);
    out += ALPHABET[(shift >= 0 ? word >>> shift : word << -shift | (mac[(bit >> 5) + 1] || 0) >>> 32 + shift) & 63];
  }
  return out;
}

// The JSON value in a base64url text whose characters are known to be in the alphabet; throws if it holds none.
function decoded(text) {
  const codes = [];
  for (let i = 0; i < text.length; i += 4) {
    // Past the end charCodeAt gives NaN, which is no index: those digits count as 0 and are cut off below.
    const bits = DIGITS[text.charCodeAt(i)] << 18 | DIGITS[text.charCodeAt(i + 1)] << 12
      | DIGITS[text.charCodeAt(i + 2)] << 6 | DIGITS[text.charCodeAt(i + 3)];
    codes.push(bits >> 16, bits >> 8 & 255, bits & 255);
  }
  codes.length -= (4 - text.length % 4) % 4;
  const bytes = String.fromCharCode.apply(null, codes);
  return JSON.parse(decodeURIComponent(bytes.replace(ESCAPED, function (character) {
    return '%' + character.charCodeAt(0).toString(16);
  })));
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function claimsProblem(claims) {
  const now = Date.now() / 1000;
  if (claims.exp === undefined ? REQUIRE_EXP : !(Number.isFinite(claims.exp) && now < claims.exp + LEEWAY)) {
    return 'expired or without exp';
  }
  if (claims.nbf !== undefined && !(Number.isFinite(claims.nbf) && now >= claims.nbf - LEEWAY)) {
    return 'not valid yet';
  }
  return null;
}

// The claims of a good token; throws the reason as text otherwise.
function verified(token) {
  if (token.length > MAX_LENGTH || !TOKEN.test(token)) {
    throw 'not a token';
  }
  const parts = token.split('.');
  const header = decoded(parts[0]);
  if (!isObject(header) || header.alg !== 'HS256' || header.crit !== undefined) {
    throw 'wrong alg or crit';
  }
  const expected = signature(parts[0] + '.' + parts[1]);
  let different = 0;
  for (let i = 0; i < 43; i++) {
    different |= expected.charCodeAt(i) ^ parts[2].charCodeAt(i);
  }
  if (different !== 0) {
    throw 'wrong signature';
  }
  const claims = decoded(parts[1]);
  const problem = isObject(claims) ? claimsProblem(claims) : 'no claims';
  if (problem !== null) {
    throw problem;
  }
  return claims;
}

function tokenOf(request) {
  const authorization = request.headers.authorization;
  if (authorization) {
    const isBearer = authorization.value.slice(0, 7).toLowerCase() === 'bearer ';
    return isBearer ? authorization.value.slice(7).trim() : '';
  }
  return request.cookies[COOKIE] ? request.cookies[COOKIE].value : '';
}

function refusal(challenge) {
  return {
    statusCode: 401,
    statusDescription: 'Unauthorized',
    headers: { 'www-authenticate': { value: challenge }, 'cache-control': { value: 'no-store' } },
    cookies: {},
  };
}

function handler(event) {
  const request = event.request;
  const token = tokenOf(request);
  if (token === '') {
    return refusal('Bearer');
  }
  let claims;
  try {
    claims = verified(token);
  } catch (reason) {
    console.log('token refused: ' + reason);
    return refusal('Bearer error="invalid_token"');
  }
  delete request.headers['x-token-subject'];
  if (typeof claims.sub === 'string' && SUBJECT.test(claims.sub)) {
    request.headers['x-token-subject'] = { value: claims.sub };
  }
  return request;
}
