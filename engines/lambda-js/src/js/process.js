// `process` as far as functions use it.
(function (host) {
  'use strict';

  const writable = (write) => ({
    isTTY: false,
    writable: true,
    write(chunk, encoding, callback) {
      write(typeof chunk === 'string' ? chunk : host.Buffer.from(chunk).toString());
      const done = typeof encoding === 'function' ? encoding : callback;
      if (done) process.nextTick(done);
      return true;
    },
    on() {
      return this;
    },
    once() {
      return this;
    },
  });

  function hrtime(since) {
    const now = host.uptime();
    const [seconds, nanoseconds] = [Math.floor(now), Math.floor((now % 1) * 1e9)];
    if (since === undefined) return [seconds, nanoseconds];
    const difference = nanoseconds - since[1];
    return difference < 0 ? [seconds - since[0] - 1, difference + 1e9] : [seconds - since[0], difference];
  }
  hrtime.bigint = () => BigInt(Math.floor(host.uptime() * 1e9));

  const self = () => globalThis.process;
  globalThis.process = {
    env: host.variables,
    argv: ['node'],
    argv0: 'node',
    execArgv: [],
    execPath: '/usr/bin/node',
    title: 'node',
    pid: 1,
    ppid: 0,
    platform: 'linux',
    arch: host.arch,
    version: 'v22.0.0',
    versions: { node: '22.0.0', boa: host.boa },
    release: { name: 'node' },
    features: {},
    config: {},
    exitCode: undefined,
    exit: (code) => host.exit(Number(code ?? self().exitCode ?? 0)),
    cwd: () => host.folder,
    umask: () => 0o022,
    nextTick: (callback, ...values) => queueMicrotask(() => callback(...values)),
    uptime: () => host.uptime(),
    hrtime,
    memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
    emitWarning: (warning, kind = 'Warning') => host.record('WARN', `${warning instanceof Error ? warning : `${kind?.type ?? kind}: ${warning}`}`),
    stdout: writable(host.write),
    stderr: writable(host.writeError),
    // Handlers of process events are never called: how an environment ends is decided outside.
    on: () => self(),
    once: () => self(),
    off: () => self(),
    addListener: () => self(),
    removeListener: () => self(),
    removeAllListeners: () => self(),
    listeners: () => [],
    listenerCount: () => 0,
    emit: () => false,
    binding() {
      throw new Error('process.binding is not available in the boa engine');
    },
  };
  globalThis.global = globalThis;
});
