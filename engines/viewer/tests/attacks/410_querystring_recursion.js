const q = require('querystring');
const encode = (s) => q.stringify({ a: s }, '&', '=', { encodeURIComponent: encode });
encode('x');
