const prototype = Object.getPrototypeOf(function* () {}).prototype;
prototype.next = prototype.return = prototype.throw = () => ({ value: 'patched', done: true });
Object.getPrototypeOf(prototype)[Symbol.iterator] = () => prototype;
Object.getPrototypeOf(function* () {}).extra = prototype;
return event.request;
