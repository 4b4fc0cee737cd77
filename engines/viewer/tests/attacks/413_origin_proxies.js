const cf = require('cloudfront');
cf.createRequestOriginGroup(new Proxy({}, { get() { return new Proxy([], { get() { for (;;); } }); } }));
