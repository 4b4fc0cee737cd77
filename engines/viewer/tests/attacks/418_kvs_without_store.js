const cf = require('cloudfront');
for (;;) { try { cf.kvs(); } catch (e) {} }
