// `process` as far as functions use it.
(function (host) {
  'use strict';

  const writable = (write) => ({
    write(chunk) {
      write(typeof chunk === 'string' ? chunk : host.Buffer.from(chunk).toString());
      return true;
    },
  });

  globalThis.process = {
    env: host.variables,
    argv: ['node'],
    platform: 'linux',
    exitCode: undefined,
    exit: (code) => host.exit(Number(code ?? globalThis.process.exitCode ?? 0)),
    cwd: () => host.folder,
    nextTick: (callback, ...values) => queueMicrotask(() => callback(...values)),
    uptime: () => host.uptime(),
    stdout: writable(host.write),
    stderr: writable(host.writeError),
  };
  globalThis.global = globalThis;
});
