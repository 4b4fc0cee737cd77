// Any host code that assigns instead of defining runs these.
for (const name of ['value', 'headers', 'statusCode', 'multiValue', 'request', 'uri', 'get', 'set', 'cause', 'done'])
  Object.defineProperty(Object.prototype, name, { __proto__: null, set() { while (true); }, configurable: true });
