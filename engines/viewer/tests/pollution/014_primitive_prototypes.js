for (const C of [Number, Boolean, BigInt, Symbol]) {
  for (const name of ['toString', 'valueOf', 'toLocaleString', Symbol.toPrimitive]) Object.defineProperty(C.prototype, name, { value: () => 'patched', configurable: true });
  C.prototype.extra = C;
}
Number.isInteger = Number.parseFloat = BigInt.asUintN = () => 'patched';
return event.request;
