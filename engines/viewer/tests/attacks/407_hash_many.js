const crypto = require('crypto');
const all = []; for (;;) all.push(crypto.createHmac('md5', 'k'));
