const closing = { [Symbol.iterator]: () => ({ next: () => ({ done: false }), return() { const [x] = closing; return {}; } }) };
const [first] = closing;
