// `timers/promises`.
(function () {
  'use strict';

  const aborted = (signal) => signal?.reason ?? new Error('The operation was aborted');

  function waiting(start, clear) {
    return (value, { signal, ref = true } = {}) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(aborted(signal));
        const handle = start(() => resolve(value));
        if (!ref) handle.unref();
        signal?.addEventListener('abort', () => {
          clear(handle);
          reject(aborted(signal));
        });
      });
  }
  const timeout = (delay, value, options) => waiting((done) => setTimeout(done, delay), clearTimeout)(value, options);
  return {
    setTimeout: timeout,
    setImmediate: (value, options) => waiting((done) => setImmediate(done), clearImmediate)(value, options),
    async *setInterval(delay, value, options) {
      for (;;) yield timeout(delay, value, options);
    },
    scheduler: { wait: (delay, options) => timeout(delay, undefined, options), yield: () => timeout(0) },
  };
});
