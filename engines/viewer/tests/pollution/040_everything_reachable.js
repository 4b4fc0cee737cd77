const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, defineProperty, setPrototypeOf } = Reflect;
const { request } = event, seen = new Set([event]), found = [globalThis];
for (const object of found) for (const key of ownKeys(object).concat('__proto__')) {
  const own = getOwnPropertyDescriptor(object, key) || { value: getPrototypeOf(object) };
  for (const next of [own.value, own.get, own.set])
    if ((typeof next === 'function' || (typeof next === 'object' && next)) && !seen.has(next)) { seen.add(next); found.push(next); }
}
for (let i = found.length - 1; i >= 0; i--) { defineProperty(found[i], 'polluted', { value: i }); if (i % 3 === 0) setPrototypeOf(found[i], null); }
return request;
