// `require` for CommonJS: files and JSON beside the function, and the few modules that this engine has. Which file a name
// means, and that it lies in the function's folder, is decided by the host. Absent: node_modules.
(function (host) {
  'use strict';

  const builtins = {
    querystring: host.querystring,
    buffer: { Buffer: host.Buffer, atob: globalThis.atob, btoa: globalThis.btoa },
    timers: { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate },
    process: globalThis.process,
  };
  const loaded = Object.create(null);
  let main;

  function importError(message) {
    const error = new Error(message);
    error.name = 'Runtime.ImportModuleError';
    error.code = 'MODULE_NOT_FOUND';
    return error;
  }

  function load(path) {
    const known = loaded[path];
    if (known !== undefined) return known.exports;
    const content = host.read(path);
    if (content.form === 'json') {
      loaded[path] = { exports: content.value };
      return content.value;
    }
    if (content.form === 'module') {
      throw importError(`Cannot require '${path}': it is an ES module; use import`);
    }
    const module = { exports: {}, id: path, filename: path, loaded: false, children: [], paths: [] };
    main ??= module;
    loaded[path] = module;
    try {
      const require = requireFrom(path);
      module.require = require;
      const folder = path.replace(/\/[^/]*$/, '') || '/';
      content.body.call(module.exports, module.exports, require, module, path, folder);
    } catch (error) {
      delete loaded[path];
      throw error;
    }
    module.loaded = true;
    return module.exports;
  }

  // The exports of the module that `name` means in the file `from`.
  function find(name, from) {
    if (typeof name !== 'string' || name === '') throw new TypeError('The "id" argument must be a non-empty string.');
    const builtin = name.replace(/^node:/, '');
    if (Object.hasOwn(builtins, builtin)) return builtins[builtin];
    return load(resolve(name, from));
  }

  function resolve(name, from) {
    if (!/^(\.{1,2}(\/|$)|\/)/.test(name)) {
      throw importError(`Cannot find module '${name}': it is not available in the boa engine (needed by ${from})`);
    }
    const path = host.resolve(name, from);
    if (path === undefined) throw importError(`Cannot find module '${name}' in the function's folder (needed by ${from})`);
    return path;
  }

  function requireFrom(from) {
    const require = (name) => find(name, from);
    require.resolve = (name) => (Object.hasOwn(builtins, name.replace(/^node:/, '')) ? name : resolve(name, from));
    require.cache = loaded;
    require.main = main;
    return require;
  }

  host.load = load;
  host.find = find;
});
