for (const name of Object.getOwnPropertyNames(Date.prototype)) if (typeof Date.prototype[name] === 'function') Date.prototype[name] = () => 0;
Date.now = Date.parse = Date.UTC = () => 0;
if (typeof state !== 'undefined') state.when.setTime = null;
globalThis.Date = class extends Date { constructor() { super(0); } };
return event.request;
