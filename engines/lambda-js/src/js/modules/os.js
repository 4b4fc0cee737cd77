// `os`: what a function may ask about its machine, answered the same everywhere (lambda-edge.md 11, rank 12).
(function (host) {
  'use strict';

  return {
    EOL: '\n',
    arch: () => process.arch,
    platform: () => 'linux',
    type: () => 'Linux',
    release: () => '',
    version: () => '',
    machine: () => (process.arch === 'x64' ? 'x86_64' : 'aarch64'),
    hostname: () => 'localhost',
    homedir: () => '/tmp',
    tmpdir: () => '/tmp',
    endianness: () => 'LE',
    uptime: () => host.uptime(),
    totalmem: () => Number(host.about.memory) * 1024 * 1024,
    freemem: () => Number(host.about.memory) * 1024 * 1024,
    loadavg: () => [0, 0, 0],
    cpus: () => [],
    availableParallelism: () => 1,
    networkInterfaces: () => ({}),
    userInfo: () => ({ uid: -1, gid: -1, username: 'function', homedir: '/tmp', shell: null }),
    constants: { signals: {}, errno: {} },
    devNull: '/dev/null',
  };
});
