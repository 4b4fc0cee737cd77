for (const name of ['hasOwnProperty', 'toString', 'valueOf', 'isPrototypeOf', 'propertyIsEnumerable', 'toLocaleString'])
  Object.prototype[name] = () => 'patched';
Object.prototype.constructor = null;
return event.request;
