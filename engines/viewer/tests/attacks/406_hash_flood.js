const crypto = require('crypto');
for (;;) crypto.createHash('sha256').update('x'.repeat(1e6)).digest('hex');
