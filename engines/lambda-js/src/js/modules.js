// `require` for CommonJS: files and JSON beside the function, packages in `node_modules`, also a layer's, and the modules that this engine
// has (`js/modules`), each made when it is first asked for. Which file a name means, and that it lies in the function's
// folder, is decided by the host.
(function (host) {
  'use strict';

  const made = Object.create(null);
  const loaded = Object.create(null);
  let main;

  const own = (name) => () => script(name);
  const builtins = {
    assert: own('assert'),
    'assert/strict': () => builtin('assert').strict,
    buffer: () => ({
      Buffer: host.Buffer,
      SlowBuffer: host.Buffer,
      atob: globalThis.atob,
      btoa: globalThis.btoa,
      kMaxLength: 2 ** 31 - 1,
      constants: { MAX_LENGTH: 2 ** 31 - 1, MAX_STRING_LENGTH: 2 ** 29 - 24 },
    }),
    console: () => globalThis.console,
    crypto: own('crypto'),
    events: own('events'),
    fs: own('fs'),
    'fs/promises': () => builtin('fs').promises,
    http: () => builtin('edgehook:http').http,
    https: () => builtin('edgehook:http').https,
    os: own('os'),
    path: own('path'),
    'path/posix': () => builtin('path'),
    process: () => globalThis.process,
    punycode: own('punycode'),
    querystring: () => host.querystring,
    stream: own('stream'),
    'stream/promises': () => builtin('stream').promises,
    string_decoder: own('string_decoder'),
    timers: () => ({ setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate }),
    'timers/promises': own('timers_promises'),
    url: own('url'),
    util: own('util'),
    'util/types': () => builtin('util').types,
    zlib: own('zlib'),
  };
  // The engine's own, out of reach of functions.
  const inner = { 'edgehook:http': own('http'), 'edgehook:web': own('web') };
  // What Node has and this engine never will (lambda-edge.md 11).
  const NODE_ONLY = /^(node:)?(net|tls|tty|child_process|cluster|worker_threads|vm|dns|dgram|http2|inspector|readline|repl|v8|async_hooks|perf_hooks|module|domain|diagnostics_channel|sqlite|test)(\/|$)/;

  function script(name) {
    return host.evaluate(name)(host, builtin);
  }

  function isBuiltin(name) {
    return Object.hasOwn(builtins, name.replace(/^node:/, ''));
  }

  function builtin(name) {
    const plain = name.replace(/^node:/, '');
    if (!(plain in made)) made[plain] = (builtins[plain] ?? inner[plain])();
    return made[plain];
  }

  function importError(message) {
    const error = new Error(message);
    error.name = 'Runtime.ImportModuleError';
    error.code = 'MODULE_NOT_FOUND';
    return error;
  }

  function load(path) {
    // What functions see, and know the file by.
    const shown = host.shown(path);
    const known = loaded[shown];
    if (known !== undefined) return known.exports;
    const content = host.read(path);
    if (content.form === 'json') {
      loaded[shown] = { exports: content.value };
      return content.value;
    }
    if (content.form === 'module') {
      throw importError(`Cannot require '${path}': it is an ES module; use import`);
    }
    const module = { exports: {}, id: shown, filename: shown, loaded: false, children: [], paths: [] };
    host.wrapped.add(path);
    main ??= module;
    loaded[shown] = module;
    try {
      const require = requireFrom(path);
      module.require = require;
      const folder = shown.replace(/\/[^/]*$/, '') || '/';
      content.body.call(module.exports, module.exports, require, module, shown, folder);
    } catch (error) {
      delete loaded[shown];
      throw error;
    }
    module.loaded = true;
    return module.exports;
  }

  // The exports of the module that `name` means in the file `from`.
  function find(name, from) {
    if (typeof name !== 'string' || name === '') throw new TypeError('The "id" argument must be a non-empty string.');
    return isBuiltin(name) ? builtin(name) : load(resolve(name, from));
  }

  function resolve(name, from) {
    const path = host.resolve(name, from);
    if (path !== undefined) return path;
    throw importError(missing(name, from));
  }

  // What to say of a module that is nowhere.
  function missing(name, from) {
    if (NODE_ONLY.test(name)) {
      return `Cannot find module '${name}': it is not available in the boa engine (needed by ${from}); run the function with engine = "node"`;
    }
    if (/^(\.{1,2}(\/|$)|\/)/.test(name)) return `Cannot find module '${name}' in the function's folder (needed by ${from})`;
    return `Cannot find module '${name}' in node_modules of the function's folder (needed by ${from})`;
  }

  function requireFrom(from) {
    const require = (name) => find(name, from);
    require.resolve = (name) => (isBuiltin(name) ? name : host.shown(resolve(name, from)));
    require.cache = loaded;
    require.main = main;
    return require;
  }

  host.load = load;
  host.isBuiltin = isBuiltin;
  host.builtin = builtin;
  host.missing = (name, from) => {
    throw importError(missing(name, from));
  };

  // Globals that are made when they are first used: most functions need few of them.
  const WEB = ['AbortController', 'AbortSignal', 'CryptoKey', 'DOMException', 'Event', 'EventTarget', 'Headers', 'Request', 'Response', 'TextDecoder', 'TextEncoder', 'crypto', 'fetch', 'performance'];
  const lazy = [...WEB.map((name) => [name, 'edgehook:web']), ['URL', 'url'], ['URLSearchParams', 'url']];
  for (const [name, module] of lazy) {
    // The accessor stays: the engine's inline caches do not notice when one of the global object becomes a value.
    let held;
    let known = false;
    Object.defineProperty(globalThis, name, {
      configurable: true,
      enumerable: false,
      get() {
        if (!known) [held, known] = [builtin(module)[name], true];
        return held;
      },
      set(value) {
        [held, known] = [value, true];
      },
    });
  }
});
