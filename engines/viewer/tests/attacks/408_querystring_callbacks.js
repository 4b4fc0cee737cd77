const q = require('querystring');
q.parse('a=1', '&', '=', { decodeURIComponent() { for (;;); } });
