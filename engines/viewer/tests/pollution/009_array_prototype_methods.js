for (const name of Object.getOwnPropertyNames(Array.prototype))
  if (typeof Array.prototype[name] === 'function') Array.prototype[name] = () => 'patched';
Array.isArray = () => false;
return event.request;
