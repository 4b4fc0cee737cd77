const cf = require('cloudfront');
for (;;) { try { cf.cwt.validateToken(Buffer.alloc(1024, 0x81), { key: 'k' }); } catch (e) {} }
