for (const name of ['exec', 'test', 'toString', 'compile', Symbol.match, Symbol.matchAll, Symbol.replace, Symbol.search, Symbol.split]) RegExp.prototype[name] = () => null;
for (const name of ['flags', 'global', 'source', 'sticky', 'unicode']) Object.defineProperty(RegExp.prototype, name, { get: () => 'g' });
Object.defineProperty(RegExp, Symbol.species, { value: null });
return event.request;
