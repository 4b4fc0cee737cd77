for (const name of ['call', 'apply', 'bind', 'toString']) Function.prototype[name] = () => 'patched';
Function.prototype.extra = event;
Function.prototype.prototype = {};
return event.request;
