// How errors are described (lambda-edge.md 8.4), and a `stack` as in Node: with the error itself as its first line.
(function (host) {
  'use strict';

  const engineStack = Object.getOwnPropertyDescriptor(Error.prototype, 'stack').get;

  function head(error) {
    const name = String(error.name);
    const message = String(error.message);
    return message === '' ? name : `${name}: ${message}`;
  }

  // Files of CommonJS: `host.wrapper` characters stand before their first line.
  host.wrapped = new Set();

  function placed(line) {
    const [, before, path, column] = /^(.*\()(.*):1:(\d+)\)$/.exec(line) ?? [];
    return host.wrapped.has(path) && column > host.wrapper ? `${before}${path}:1:${column - host.wrapper})` : line;
  }

  // The places, innermost first, without those in this runtime's own code.
  function places(error) {
    const stack = engineStack.call(error) ?? '';
    const lines = stack.split('\n').filter((line) => line.trim() !== '' && !line.includes('(edgehook:'));
    return lines.map(placed);
  }

  Object.defineProperty(Error.prototype, 'stack', {
    configurable: true,
    get() {
      return this instanceof Error ? [head(this), ...places(this)].join('\n') : undefined;
    },
    set(value) {
      Object.defineProperty(this, 'stack', { value, configurable: true, enumerable: false, writable: true });
    },
  });
  Error.captureStackTrace = (target) => {
    const { stack } = new Error(target.message);
    if (!(target instanceof Error)) Object.defineProperty(target, 'stack', { value: stack, configurable: true, writable: true });
  };

  // [errorType, errorMessage, trace lines joined by line breaks]. What is no Error has its type for a name and no trace.
  host.describe = (error, loading) => {
    try {
      if (!(error instanceof Error)) return [typeof error, String(error), ''];
      const kind = loading && error instanceof SyntaxError ? 'Runtime.UserCodeSyntaxError' : String(error.name);
      return [kind, String(error.message), String(error.stack ?? '')];
    } catch {
      return ['Error', 'the error cannot be read', ''];
    }
  };
});
