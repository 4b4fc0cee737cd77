const one = { [Symbol.toPrimitive]: () => 1 + two };
const two = { [Symbol.toPrimitive]: () => 1 * one };
+one;
