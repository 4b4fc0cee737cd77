// `util` (lambda-edge.md 11, rank 8).
(function (host, require) {
  'use strict';

  const PROMISIFIED = Symbol.for('nodejs.util.promisify.custom');

  function promisify(original) {
    if (typeof original !== 'function') {
      throw Object.assign(new TypeError('The "original" argument must be of type function'), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    if (original[PROMISIFIED] !== undefined) return original[PROMISIFIED];
    function promised(...values) {
      return new Promise((resolve, reject) => {
        original.call(this, ...values, (error, value) => (error ? reject(error) : resolve(value)));
      });
    }
    return Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
  }
  promisify.custom = PROMISIFIED;

  function callbackify(original) {
    return function (...values) {
      const callback = values.pop();
      original.apply(this, values).then(
        (value) => process.nextTick(callback, null, value),
        (error) => process.nextTick(callback, error ?? new Error('Promise was rejected with a falsy value')),
      );
    };
  }

  function deprecate(original, message, code) {
    let warned = false;
    return function (...values) {
      if (!warned) {
        warned = true;
        process.emitWarning(message, 'DeprecationWarning', code);
      }
      return new.target ? Reflect.construct(original, values, new.target) : original.apply(this, values);
    };
  }

  function inherits(constructor, parent) {
    Object.defineProperty(constructor, 'super_', { value: parent, configurable: true, writable: true });
    Object.setPrototypeOf(constructor.prototype, parent.prototype);
  }

  const tag = (value) => Object.prototype.toString.call(value).slice(8, -1);
  const is = (...names) => (value) => value !== null && typeof value === 'object' && names.includes(tag(value));
  const TypedArray = Object.getPrototypeOf(Uint8Array);
  const types = {
    isAnyArrayBuffer: is('ArrayBuffer', 'SharedArrayBuffer'),
    isArrayBuffer: is('ArrayBuffer'),
    isArrayBufferView: ArrayBuffer.isView,
    isAsyncFunction: (value) => typeof value === 'function' && tag(value).startsWith('Async'),
    isBooleanObject: (value) => value instanceof Boolean,
    isBoxedPrimitive: (value) => [Boolean, Number, String, Symbol, BigInt].some((kind) => value instanceof kind),
    isDate: (value) => value instanceof Date,
    isGeneratorFunction: (value) => typeof value === 'function' && tag(value).endsWith('GeneratorFunction'),
    isKeyObject: (value) => value instanceof require('crypto').KeyObject,
    isCryptoKey: (value) => value instanceof globalThis.CryptoKey,
    isMap: (value) => value instanceof Map,
    isNativeError: (value) => value instanceof Error,
    isNumberObject: (value) => value instanceof Number,
    isPromise: (value) => value instanceof Promise,
    isRegExp: (value) => value instanceof RegExp,
    isSet: (value) => value instanceof Set,
    isStringObject: (value) => value instanceof String,
    isTypedArray: (value) => value instanceof TypedArray,
    isUint8Array: (value) => value instanceof Uint8Array,
    isWeakMap: (value) => value instanceof WeakMap,
    isWeakSet: (value) => value instanceof WeakSet,
    isDataView: (value) => value instanceof DataView,
    isSharedArrayBuffer: is('SharedArrayBuffer'),
    isProxy: () => false,
    isExternal: () => false,
  };

  function inspect(value, options) {
    const depth = typeof options === 'object' ? options?.depth : undefined;
    return host.inspect(value, depth === null ? Infinity : (depth ?? 2));
  }
  inspect.custom = host.inspectKey;
  inspect.defaultOptions = {};

  return {
    promisify,
    callbackify,
    deprecate,
    inherits,
    inspect,
    types,
    format: host.format,
    formatWithOptions: (options, ...values) => host.format(...values),
    isDeepStrictEqual: (left, right) => require('assert').isDeepEqual(left, right, true),
    debuglog: () => Object.assign(() => {}, { enabled: false }),
    debug: () => Object.assign(() => {}, { enabled: false }),
    stripVTControlCharacters: (text) => String(text).replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''),
    toUSVString: (text) => String(text).toWellFormed(),
    isArray: Array.isArray,
    get TextEncoder() {
      return globalThis.TextEncoder;
    },
    get TextDecoder() {
      return globalThis.TextDecoder;
    },
  };
});
