const cf = require('cloudfront');
const h = {}; for (let i = 0; i < 1e5; i++) h['x-' + i] = 'v'.repeat(100);
cf.updateRequestOrigin({ customHeaders: h, allowedCertificateNames: new Array(1e6).fill('a') });
