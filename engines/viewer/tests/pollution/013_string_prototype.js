for (const name of Object.getOwnPropertyNames(String.prototype))
  if (typeof String.prototype[name] === 'function') String.prototype[name] = () => 'patched';
String.raw = String.fromCharCode = () => 'patched';
return event.request;
