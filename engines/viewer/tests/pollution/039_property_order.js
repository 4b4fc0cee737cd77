for (const holder of [Math, JSON, Array.prototype, String.prototype, globalThis])
  for (const name of Object.getOwnPropertyNames(holder).slice(0, 8)) {
    const own = Object.getOwnPropertyDescriptor(holder, name);
    if (own.configurable && delete holder[name]) Object.defineProperty(holder, name, { ...own, enumerable: !own.enumerable });
  }
return event.request;
