const weak = new WeakMap();
const keys = [];
for (;;) { const k = {}; keys.push(k); weak.set(k, keys); }
