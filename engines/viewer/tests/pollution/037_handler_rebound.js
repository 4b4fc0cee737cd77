const { request } = event;
handler.calls = 1e6;
handler.prototype = null;
Object.defineProperty(handler, 'name', { value: 'patched' });
globalThis.handler = () => ({ statusCode: 418 });
return request;
