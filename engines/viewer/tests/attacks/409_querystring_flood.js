const q = require('querystring');
for (;;) q.parse('a&'.repeat(1e6), '&', '=', { maxKeys: 0 });
