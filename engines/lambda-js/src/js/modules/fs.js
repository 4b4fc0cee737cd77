// `fs`: the package (read only) and `/tmp` (lambda-edge.md 6.1, 11 rank 6). Which path is which file is decided by the host;
// callbacks and promises wrap what is done at once. Absent: watching, links, ownership.
(function (host, require) {
  'use strict';

  const { Buffer } = host;
  const custom = Symbol.for('nodejs.util.promisify.custom');

  function pathOf(path) {
    if (typeof path === 'string') return path;
    if (path instanceof Uint8Array) return Buffer.from(path).toString();
    if (typeof path?.href === 'string') return require('url').fileURLToPath(path);
    const error = new TypeError(`The "path" argument must be of type string or an instance of Buffer or URL. Received ${typeof path}`);
    error.code = 'ERR_INVALID_ARG_TYPE';
    throw error;
  }

  const TEXTS = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    EROFS: 'read-only file system',
    EEXIST: 'file already exists',
    EISDIR: 'illegal operation on a directory',
    ENOTDIR: 'not a directory',
    ENOTEMPTY: 'directory not empty',
    ENOSPC: 'no space left on device',
  };

  // Calls the host; what it reports is the name of the error.
  function call(syscall, path, run) {
    try {
      return run();
    } catch (failure) {
      const code = failure.message;
      if (!/^E[A-Z]+$/.test(code)) throw failure;
      const error = new Error(`${code}: ${TEXTS[code] ?? 'input/output error'}, ${syscall} '${path}'`);
      throw Object.assign(error, { code, syscall, path, errno: host.errno(code) });
    }
  }

  function settings(options) {
    return typeof options === 'string' ? { encoding: options } : (options ?? {});
  }

  class Stats {
    constructor([kind, size, changed, mode]) {
      this.mode = mode;
      this.size = size;
      this.mtimeMs = this.atimeMs = this.ctimeMs = this.birthtimeMs = changed;
      this.mtime = this.atime = this.ctime = this.birthtime = new Date(changed);
      Object.defineProperty(this, 'kind', { value: kind });
    }
    isFile() {
      return this.kind === 'file';
    }
    isDirectory() {
      return this.kind === 'folder';
    }
    isSymbolicLink() {
      return this.kind === 'link';
    }
    isFIFO() {
      return false;
    }
    isSocket() {
      return false;
    }
  }

  function stat(follow) {
    return (path, options) => {
      const place = pathOf(path);
      try {
        return new Stats(call(follow ? 'stat' : 'lstat', place, () => host.stat(place, follow)));
      } catch (error) {
        if (options?.throwIfNoEntry === false && error.code === 'ENOENT') return undefined;
        throw error;
      }
    };
  }

  function write(mode) {
    return (path, data, options) => {
      const { encoding = 'utf8', flag } = settings(options);
      const bytes = typeof data === 'string' ? Buffer.from(data, encoding) : data;
      const place = pathOf(path);
      call('open', place, () => host.writeFile(place, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), flag ?? mode));
    };
  }

  const sync = {
    readFile(path, options) {
      const { encoding } = settings(options);
      const place = pathOf(path);
      const bytes = Buffer.from(call('open', place, () => host.readFile(place)));
      return encoding ? bytes.toString(encoding) : bytes;
    },
    writeFile: write('w'),
    appendFile: write('a'),
    stat: stat(true),
    lstat: stat(false),
    access(path) {
      const place = pathOf(path);
      call('access', place, () => host.stat(place, true));
    },
    readdir(path, options) {
      const place = pathOf(path);
      const names = call('scandir', place, () => host.list(place));
      if (!settings(options).withFileTypes) return names;
      return names.map((name) => {
        const entry = sync.lstat(`${place}/${name}`);
        return Object.assign(entry, { name, parentPath: place, path: place });
      });
    },
    mkdir(path, options) {
      const place = pathOf(path);
      call('mkdir', place, () => host.makeFolder(place, Boolean(options?.recursive)));
      return options?.recursive ? place : undefined;
    },
    unlink(path) {
      const place = pathOf(path);
      call('unlink', place, () => host.remove(place, 'file'));
    },
    rmdir(path) {
      const place = pathOf(path);
      call('rmdir', place, () => host.remove(place, 'folder'));
    },
    rm(path, options) {
      const place = pathOf(path);
      try {
        call('rm', place, () => host.remove(place, options?.recursive ? 'all' : 'file'));
      } catch (error) {
        if (!options?.force || error.code !== 'ENOENT') throw error;
      }
    },
    rename(from, to) {
      const [source, target] = [pathOf(from), pathOf(to)];
      call('rename', source, () => host.rename(source, target));
    },
    copyFile(from, to) {
      sync.writeFile(to, sync.readFile(from));
    },
    realpath(path) {
      const place = pathOf(path);
      sync.stat(place);
      return require('path').resolve(place);
    },
    mkdtemp(prefix) {
      const place = `${prefix}${require('crypto').randomBytes(4).toString('hex').slice(0, 6)}`;
      sync.mkdir(place);
      return place;
    },
  };

  const fs = { Stats, promises: {}, constants: { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 } };
  for (const [name, run] of Object.entries(sync)) {
    fs[`${name}Sync`] = run;
    fs.promises[name] = async (...values) => run(...values);
    fs[name] = (...values) => {
      const callback = values.pop();
      if (typeof callback !== 'function') {
        throw Object.assign(new TypeError('The "cb" argument must be of type function'), { code: 'ERR_INVALID_ARG_TYPE' });
      }
      fs.promises[name](...values).then(
        (value) => callback(null, value),
        (error) => callback(error),
      );
    };
    fs[name][custom] = fs.promises[name];
  }
  fs.promises.constants = fs.constants;
  fs.existsSync = (path) => {
    try {
      sync.access(path);
      return true;
    } catch {
      return false;
    }
  };
  fs.exists = (path, callback) => process.nextTick(callback, fs.existsSync(path));
  fs.createReadStream = (path, options) => {
    const { Readable } = require('stream');
    const { encoding, start = 0, end = Infinity } = settings(options);
    return new Readable({
      encoding,
      read() {
        try {
          this.push(sync.readFile(path).subarray(start, end === Infinity ? undefined : end + 1));
          this.push(null);
        } catch (error) {
          this.destroy(error);
        }
      },
    });
  };
  fs.createWriteStream = (path, options) => {
    const { Writable } = require('stream');
    let mode = settings(options).flags ?? 'w';
    return new Writable({
      write(chunk, encoding, done) {
        try {
          write(mode)(path, chunk);
        } catch (error) {
          done(error);
          return;
        }
        mode = 'a';
        done();
      },
      final(done) {
        if (mode !== 'a') write(mode)(path, '');
        done();
      },
    });
  };
  return fs;
});
