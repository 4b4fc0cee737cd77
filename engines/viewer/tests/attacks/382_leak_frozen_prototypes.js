for (const C of [Object, Array, Function, String, Number, Promise, RegExp, Map, Error]) { Object.freeze(C.prototype); Object.freeze(C); }
Object.preventExtensions(globalThis);
