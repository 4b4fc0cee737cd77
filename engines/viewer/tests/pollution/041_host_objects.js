const crypto = require('crypto'), querystring = require('querystring'), cf = require('cloudfront');
for (const module of [crypto, querystring, cf, cf.cwt, Buffer, Buffer.prototype, TextEncoder.prototype, TextDecoder.prototype]) {
  for (const name of Reflect.ownKeys(module)) { try { module[name] = () => 'polluted'; } catch (e) {} }
  module.polluted = 1;
}
globalThis.Buffer = globalThis.require = globalThis.atob = null;
return event.request;
