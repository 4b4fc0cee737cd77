const crypto = require('crypto'), cf = require('cloudfront');
globalThis.hash = crypto.createHash('sha256').update('left behind');
new TextDecoder().decode(new Uint8Array([0xe2, 0x82]), { stream: true });
Buffer.from('polluted').buffer.polluted = Buffer.alloc(1000, 1);
cf.updateRequestOrigin({ domainName: 'polluted.example' });
return event.request;
