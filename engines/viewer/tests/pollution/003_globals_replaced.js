for (const name of ['Object', 'Array', 'String', 'Number', 'Promise', 'Error', 'TypeError', 'RegExp', 'Map', 'Set', 'Symbol', 'isNaN', 'parseFloat', 'encodeURI'])
  globalThis[name] = function replaced() { return 'patched'; };
return event.request;
