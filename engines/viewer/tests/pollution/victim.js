// Reports everything that an earlier invocation could have changed. See README.md.
const { apply, ownKeys, getOwnPropertyDescriptor, getPrototypeOf, isExtensible } = Reflect;
const { imul } = Math;
const sourceOf = Function.prototype.toString;
const nameOf = Symbol.prototype.toString;

// State of the function itself, within reach of a polluter in the same source.
let counter = 0;
const registered = Symbol.for('victim');
const state = {
  text: 'initial', list: [1, 2], nested: { deep: { flag: true } }, pattern: /(x)(y)?/g, when: new Date(0),
  map: new Map([['a', { n: 1 }]]), set: new Set(['s']), bytes: new Uint8Array(4), weak: new WeakMap(),
};
class Shape {
  static made = 0;
  #side = 2;
  constructor() { Shape.made++; }
  area() { return this.#side ** 2; }
}
const template = () => ((strings) => strings)`a${1}\n${2}c`;
const templateAtLoad = template();

// FNV-1a over UTF-16 units.
function hash(text, start = 0x811c9dc5) {
  let h = start;
  for (let i = 0; i < text.length; i++) h = imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

// Numbers each object when it is first met and describes it and its properties once; never calls a getter.
// Thrifty: a host that frees nothing during a run must still hold all of it.
class Walk {
  ids = new Map();
  names = new Map();
  group = 0;

  // The hash of all that `value` reaches and no earlier group did, and the number of those objects.
  describe(value) {
    this.group++;
    this.queue = [];
    let h = this.mix(0x811c9dc5, value);
    for (let i = 0; i < this.queue.length; i++) h = this.object(h, this.queue[i]);
    return (h >>> 0).toString(36) + '.' + this.queue.length;
  }

  mix(h, value) {
    if (typeof value === 'number' && (value | 0) === value && !Object.is(value, -0)) return imul(h ^ value, 0x01000193);
    if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
      let id = this.ids.get(value);
      if (id === undefined) {
        id = this.group * 65536 + this.queue.length;
        this.ids.set(value, id);
        this.queue.push(value);
      }
      return imul(h ^ id, 0x01000193);
    }
    if (typeof value === 'symbol') return hash(apply(nameOf, value, []), h);
    return hash(Object.is(value, -0) ? '-0' : typeof value + value, h);
  }

  key(h, name) {
    let known = this.names.get(name);
    if (known === undefined) {
      known = hash(typeof name === 'symbol' ? apply(nameOf, name, []) : name);
      this.names.set(name, known);
    }
    return imul(h ^ known, 0x01000193);
  }

  object(h, object) {
    h = this.mix(imul(h ^ ((typeof object === 'function') + 2 * Array.isArray(object) + 4 * isExtensible(object)), 0x01000193), getPrototypeOf(object));
    if (typeof object === 'function') {
      const source = apply(sourceOf, object, []);
      h = source.endsWith('[native code] }') ? imul(h ^ source.length, 0x01000193) : hash(source, h);
    }
    for (const name of ownKeys(object)) {
      const d = getOwnPropertyDescriptor(object, name);
      h = imul(this.key(h, name) ^ (d.enumerable + 2 * d.configurable + 4 * (d.writable === true)), 0x01000193);
      if (name === 'name' && typeof d.value === 'string') h = this.key(h, d.value);
      else h = 'value' in d ? this.mix(h, d.value) : this.mix(this.mix(h, d.get), d.set);
    }
    return h;
  }
}

// Modules of the host, where there are any.
const modules = () => (typeof require === 'function' ? ['crypto', 'querystring', 'buffer', 'cloudfront'].map((name) => require(name)) : []);

// Intrinsics that no global names.
function hidden() {
  const up = (value, steps = 1) => (steps > 0 ? up(getPrototypeOf(value), steps - 1) : value);
  const strictArguments = (function () { return arguments; })();
  return {
    generator: up(function* () {}), asyncFunction: up(async function () {}), asyncGenerator: up(async function* () {}),
    arrayIterator: up([][Symbol.iterator]()), stringIterator: up(''[Symbol.iterator]()), mapIterator: up(new Map().entries()),
    setIterator: up(new Set().values()), regexpIterator: up('a'.matchAll(/a/g)), helper: up([].values().map((x) => x)),
    wrapper: up(Iterator.from({ next() {} })), typedArray: up(Uint8Array), thrower: getOwnPropertyDescriptor(strictArguments, 'callee'),
    template: template(), arguments: strictArguments, Shape, modules: modules(),
  };
}

// Results of operations that go through builtins, by name and by syntax.
const calls = {
  array: () => [[3, 1, 2].map((x) => x * 2).sort().reverse().concat([[0]]).flat().join(), [...[1, , 3]].length, [1, 2, 3].filter(Boolean).reduce((a, b) => a + b), Array.from('ab'), [, 1].indexOf(undefined), [][3], [1, 2].at(-1)],
  string: () => ['a-b'.replace(/-/g, '+'), 'aXb'.split('X'), [...'a\u{1f600}'], 'x'.padStart(3, 'ab'), ' t '.trim(), 'abc'.slice(1), `${[1, [2]]}`, 'e\u0301'.normalize('NFC').length, 'a'.localeCompare('b'), 'ß'.toUpperCase(), 'abab'.replaceAll('a', '$&$&')],
  number: () => [(255).toString(16), (0.1).toFixed(20), 1e21 + '', parseInt('12px'), parseFloat('1.5e3'), Number('0x1f'), Math.max(1, 3, 2), Math.PI, Math.hypot(3, 4), (2n ** 70n).toString(), +[], -{}, NaN === NaN],
  object: () => [Object.keys({ b: 1, a: 2, 1: 3 }), Object.entries({ x: 1 }), { ...'ab' }, Object.assign({}, { a: 1 }), String({}), {}.toString.call([]), 'value' in {}, {}.statusCode, {}.headers, {}.then, {}.x, Object.isFrozen({}), ({}).__proto__ === Object.prototype, Object.fromEntries([['k', 1]])],
  enumerated: () => { const names = []; for (const o of [{}, [], '', () => 1, /x/, new Map(), new Error('x')]) for (const name in o) names.push(name); return names; },
  json: () => [JSON.parse('{"a":[1,{"b":null}],"__proto__":1}'), JSON.stringify({ a: [undefined, 1, 'x'], d: new Date(0), n: null }), JSON.stringify([1], null, 2)],
  regexp: () => ['xy x'.match(/(x)(y)?/g), /(?<n>a)\1/.exec('aa').groups.n, state.pattern.lastIndex, state.pattern.test('xy'), state.pattern.lastIndex, (state.pattern.lastIndex = 0), RegExp.$1, RegExp.lastMatch, RegExp.input, RegExp['$`'], /a/.flags, String(/a\//gi), 'aaa'.lastIndexOf('a'), [...'a1b2'.matchAll(/\d/g)].map((m) => m.index)],
  collections: () => [[...new Map([[1, 2]])], [...new Set([1, 1, 2])], new Map([['a', 1]]).get('a'), new WeakMap().has({}), [...new Uint8Array([1, 256])], new DataView(new ArrayBuffer(4)).getInt32(0), new Float64Array(2).join(), Object.groupBy([1, 2], (x) => 'k' + x)],
  dates: () => [new Date(0).toISOString(), new Date(86400000).getUTCDay(), Date.UTC(2000, 1, 29), Date.parse('2000-01-01T00:00:00Z'), new Date(0).getTimezoneOffset(), typeof Date.now(), typeof Math.random(), isNaN(new Date('x'))],
  functions: () => [((a, b) => 1).length, (function f() {}).name, Math.max.call(null, 1, 2), Math.max.apply(null, [1, 5]), ((x) => x).bind(null, 7)(), String(Math.max), typeof Function, (() => {}) instanceof Function, Reflect.ownKeys(class { static s() {} })],
  errors: () => { try { null.x; } catch (e) { return [String(e), e.name, e.message, e instanceof TypeError, e.constructor === TypeError, Object.keys(e), typeof e.stack, String(new RangeError('r')), Error.stackTraceLimit, Error.prepareStackTrace]; } },
  symbols: () => [Symbol.for('victim') === registered, Symbol.keyFor(registered), String(registered), registered.description, Symbol.iterator.toString(), Symbol('x') in {}, typeof Symbol.for('leak0')],
  iteration: () => { const [a, ...b] = new Set([1, 2, 3]); const g = (function* () { const x = yield 1; yield x; })(); return [a, b, g.next(), g.next(9), g.return(4), [1, 2].values().map((x) => x + 1).toArray(), [...Object.entries({ a: 1 })]]; },
  text: () => [encodeURIComponent('é&/'), decodeURIComponent('%C3%A9'), escape('ü'), encodeURI('a b'), isFinite('1'), String.raw`\n${1}`],
  host: () => { const [crypto, query, , cf] = modules(); return crypto ? [crypto.createHash('sha256').update('a').digest('hex'), crypto.createHmac('md5', 'k').update('a').digest('base64'), query.parse('a=1&a=2'), query.stringify({ a: [1, 2] }), Buffer.from('aGk', 'base64url') + Buffer.from([1]).toString('hex'), Buffer.alloc(2), atob('aGk='), new TextDecoder().decode(new Uint8Array([0xac])), typeof cf.updateRequestOrigin, Object.keys(cf.edgeLocation)] : []; },
  own: () => [++counter, state.text, state.list, state.nested, state.when.getTime(), [...state.map], [...state.set], [...state.bytes], state.weak.has(state.list), new Shape().area(), Shape.made, (handler.calls = (handler.calls || 0) + 1), template() === templateAtLoad, typeof leaked, typeof globalThis.handler],
};

async function handler(event) {
  // With a polluter in the same source, this address runs that instead.
  if (typeof pollute === 'function' && event.request.uri === '/pollute') return pollute(event);
  const report = (name, value) => console.log(name + ' ' + value);
  const walk = new Walk();
  walk.ids.set(globalThis, 0);
  for (const key of ownKeys(globalThis)) {
    const d = getOwnPropertyDescriptor(globalThis, key);
    report(String(key), (d.enumerable ? 'e' : '') + (d.configurable ? 'c' : '') + (d.writable ? 'w' : '') + ' ' + walk.describe('value' in d ? d.value : [d.get, d.set]));
  }
  report('global', isExtensible(globalThis) + ' ' + walk.describe(getPrototypeOf(globalThis)));
  const intrinsics = hidden();
  for (const name in intrinsics) report('%' + name, walk.describe(intrinsics[name]));
  report('state', walk.describe(state));
  report('event', walk.describe(event) + ' ' + hash(JSON.stringify(event)) + ' ' + typeof event.request.rawQueryString);
  for (const name of ownKeys(calls)) {
    let result;
    try { result = JSON.stringify(calls[name](), (_, v) => (v === undefined ? 'undefined' : typeof v === 'bigint' || typeof v === 'symbol' ? String(v) : v)); } catch (e) { result = 'threw ' + e; }
    report(name + '()', hash(result).toString(36) + ' ' + result.slice(0, 100));
  }
  const order = [];
  Promise.resolve('then').then((x) => order.push(x)).finally(() => order.push('finally'));
  await null;
  order.push('await');
  order.push(...(await Promise.all([1, Promise.resolve(2), { then: (resolve) => resolve(3) }])));
  for await (const x of (async function* () { yield 4; })()) order.push(x);
  report('jobs', order.join());
  state.text = 'seen';
  state.list.push(counter);
  return event.request;
}
