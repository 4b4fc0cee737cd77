const { request } = event;
for (const name of Object.getOwnPropertyNames(Object))
  if (typeof Object[name] === 'function') Object[name] = () => ['patched'];
Object.extra = request;
return request;
