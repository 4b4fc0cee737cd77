Promise.prototype.then = function () { return this; };
Promise.prototype.catch = Promise.prototype.finally = null;
for (const name of ['all', 'allSettled', 'any', 'race', 'resolve', 'reject']) Promise[name] = () => { throw new Error('patched'); };
Object.defineProperty(Promise, Symbol.species, { value: Array });
return event.request;
