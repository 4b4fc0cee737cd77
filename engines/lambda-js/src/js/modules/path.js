// `path`: POSIX paths (lambda-edge.md 11, rank 5). Absent: `path.win32`.
(function () {
  'use strict';

  function text(value, name) {
    if (typeof value !== 'string') {
      const error = new TypeError(`The "${name}" argument must be of type string. Received ${value === null ? 'null' : typeof value}`);
      error.code = 'ERR_INVALID_ARG_TYPE';
      throw error;
    }
    return value;
  }

  // The segments of a path without `.` and, as far as possible, without `..`.
  function segments(path, absolute) {
    const kept = [];
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue;
      if (part !== '..') kept.push(part);
      else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop();
      else if (!absolute) kept.push('..');
    }
    return kept;
  }

  const path = {
    sep: '/',
    delimiter: ':',
    isAbsolute: (value) => text(value, 'path').startsWith('/'),
    normalize(value) {
      if (text(value, 'path') === '') return '.';
      const absolute = value.startsWith('/');
      const joined = segments(value, absolute).join('/');
      const end = value.endsWith('/') && joined !== '' ? '/' : '';
      return absolute ? `/${joined}${end}` : joined === '' ? (value.endsWith('/') ? './' : '.') : joined + end;
    },
    join(...parts) {
      const joined = parts.filter((part) => text(part, 'path') !== '').join('/');
      return joined === '' ? '.' : path.normalize(joined);
    },
    resolve(...parts) {
      let resolved = '';
      for (const part of [process.cwd(), ...parts]) {
        if (text(part, 'path') === '') continue;
        resolved = part.startsWith('/') ? part : `${resolved}/${part}`;
      }
      return `/${segments(resolved, true).join('/')}`;
    },
    relative(from, to) {
      const start = segments(path.resolve(from), true);
      const end = segments(path.resolve(to), true);
      let shared = 0;
      while (shared < start.length && start[shared] === end[shared]) shared += 1;
      return [...start.slice(shared).fill('..'), ...end.slice(shared)].join('/');
    },
    dirname(value) {
      const bare = text(value, 'path').replace(/(?<=.)\/+$/, '');
      const at = bare.lastIndexOf('/');
      if (at < 0) return '.';
      return bare.slice(0, at).replace(/\/+$/, '') || '/';
    },
    basename(value, suffix) {
      const name = text(value, 'path').replace(/\/+$/, '').split('/').at(-1);
      if (suffix === undefined) return name;
      return name !== text(suffix, 'suffix') && name.endsWith(suffix) ? name.slice(0, name.length - suffix.length) : name;
    },
    extname(value) {
      const name = path.basename(value);
      const at = name.lastIndexOf('.');
      return at <= 0 || name === '..' ? '' : name.slice(at);
    },
    parse(value) {
      const root = text(value, 'path').startsWith('/') ? '/' : '';
      const base = path.basename(value);
      const ext = path.extname(value);
      const parent = path.dirname(value);
      const dir = parent === '.' && !value.startsWith('.') ? '' : parent;
      return { root, dir: base === '' ? root : dir, base, ext, name: ext === '' ? base : base.slice(0, -ext.length) };
    },
    format({ root = '', dir, base, name = '', ext = '' }) {
      const last = base || name + (ext === '' || ext.startsWith('.') ? ext : `.${ext}`);
      if (!dir) return root + last;
      return dir === root ? dir + last : `${dir}/${last}`;
    },
    toNamespacedPath: (value) => value,
  };
  path.posix = path;
  return path;
});
