const cf = require('cloudfront');
const o = {}; o.o = [o, o, o, o];
for (;;) { try { cf.cwt.generateToken({ coseTag: 'MAC0', key: 'k' }, o); } catch (e) {} }
