Array.prototype[1] = 'hole';
Array.prototype.length = 7;
Object.defineProperty(Array.prototype, 4, { get: () => 'four', set() {} });
Object.defineProperty(Array, Symbol.species, { value: function () { return {}; } });
delete Array.prototype[Symbol.unscopables];
return event.request;
