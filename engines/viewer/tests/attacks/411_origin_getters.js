const cf = require('cloudfront');
cf.updateRequestOrigin({ get domainName() { for (;;); } });
