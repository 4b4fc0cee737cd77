// `stream`: readable, writable, duplex and transforming streams with back-pressure (lambda-edge.md 11, rank 9). Plain
// functions, since older code calls the constructors without `new`. Absent: `read(size)` in parts, corking.
(function (host, require) {
  'use strict';

  const EventEmitter = require('events');
  const { Buffer } = host;

  function inherit(constructor, parent, methods) {
    Object.setPrototypeOf(constructor, parent);
    constructor.prototype = Object.create(parent.prototype, { constructor: { value: constructor, writable: true, configurable: true } });
    define(constructor, methods);
  }

  function define(constructor, methods) {
    for (const name of Reflect.ownKeys(methods)) {
      const descriptor = Object.getOwnPropertyDescriptor(methods, name);
      Object.defineProperty(constructor.prototype, name, { ...descriptor, enumerable: false });
    }
  }

  function coded(kind, code, message) {
    return Object.assign(new kind(message), { code });
  }

  function Stream(options) {
    EventEmitter.call(this, options);
  }
  inherit(Stream, EventEmitter, {
    pipe(target, options) {
      this.on('data', (chunk) => {
        if (target.write(chunk) === false && typeof this.pause === 'function') this.pause();
      });
      target.on('drain', () => this.resume?.());
      if (options?.end !== false) this.on('end', () => target.end());
      target.emit('pipe', this);
      return target;
    },
  });

  function bytes(chunk, encoding, objects) {
    if (objects || chunk instanceof Buffer) return chunk;
    if (typeof chunk === 'string') return Buffer.from(chunk, encoding === 'buffer' ? 'utf8' : encoding);
    if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "chunk" argument must be of type string or an instance of Buffer or Uint8Array');
  }

  const size = (chunk, objects) => (objects ? 1 : chunk.length);

  // What readable and writable halves share: destruction, once, with `error` before `close`.
  const destruction = {
    destroy(error, callback) {
      if (this.destroyed) return this;
      this.destroyed = true;
      const done = (failure) => {
        const reason = failure ?? error;
        process.nextTick(() => {
          callback?.(reason);
          if (reason) {
            this.errored = reason;
            this.emit('error', reason);
          }
          this.closed = true;
          this.emit('close');
        });
      };
      this._destroy(error ?? null, done);
      return this;
    },
    _destroy(error, callback) {
      callback(error);
    },
  };

  function setUp(stream, options) {
    stream.destroyed = false;
    stream.closed = false;
    stream.errored = null;
    stream._autoDestroy = options.autoDestroy !== false;
    if (typeof options.destroy === 'function') stream._destroy = options.destroy;
    const { signal } = options;
    signal?.addEventListener('abort', () => stream.destroy(signal.reason));
  }

  function setUpReadable(stream, options) {
    const objects = Boolean(options.objectMode ?? options.readableObjectMode);
    stream._readableState = {
      objects,
      limit: options.readableHighWaterMark ?? options.highWaterMark ?? (objects ? 16 : 65536),
      queue: [],
      held: 0,
      flowing: null,
      reading: false,
      scheduled: false,
      ended: false,
      endEmitted: false,
      decoder: null,
    };
    if (options.encoding) Readable.prototype.setEncoding.call(stream, options.encoding);
    if (typeof options.read === 'function') stream._read = options.read;
  }

  function Readable(options = {}) {
    if (!(this instanceof Readable)) return new Readable(options);
    Stream.call(this, options);
    setUp(this, options);
    setUpReadable(this, options);
  }

  function pull(stream) {
    const state = stream._readableState;
    if (state.ended || state.reading || stream.destroyed || state.held >= state.limit) return;
    state.reading = true;
    try {
      stream._read(state.limit);
    } catch (error) {
      stream.destroy(error);
    }
  }

  function finishReading(stream) {
    const state = stream._readableState;
    if (!state.ended || state.queue.length > 0 || state.endEmitted || stream.destroyed) return;
    state.endEmitted = true;
    process.nextTick(() => {
      if (stream.destroyed && stream.errored) return;
      stream.readable = false;
      stream.emit('end');
      const writing = stream._writableState;
      if (writing !== undefined && !stream.allowHalfOpen) stream.end();
      if (stream._autoDestroy && (writing === undefined || writing.finished)) stream.destroy();
    });
  }

  // Hands out what is queued, as long as the stream flows.
  function flow(stream) {
    const state = stream._readableState;
    state.scheduled = false;
    while (state.flowing && state.queue.length > 0 && !stream.destroyed) stream.emit('data', take(stream));
    if (state.flowing === null && (state.queue.length > 0 || state.ended) && stream.listenerCount('readable') > 0) stream.emit('readable');
    if (state.flowing !== false) pull(stream);
    finishReading(stream);
  }

  function schedule(stream) {
    const state = stream._readableState;
    if (state.scheduled) return;
    state.scheduled = true;
    process.nextTick(flow, stream);
  }

  function take(stream) {
    const state = stream._readableState;
    const chunk = state.queue.shift();
    state.held -= size(chunk, state.objects);
    return chunk;
  }

  inherit(Readable, Stream, {
    ...destruction,
    readable: true,
    _read() {
      throw coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', 'The _read() method is not implemented');
    },
    push(chunk, encoding) {
      const state = this._readableState;
      state.reading = false;
      if (chunk === null) {
        if (!state.ended && state.decoder !== null) {
          const rest = state.decoder.end();
          if (rest !== '') {
            state.queue.push(rest);
            state.held += rest.length;
          }
        }
        state.ended = true;
      } else {
        if (state.ended) {
          this.destroy(coded(Error, 'ERR_STREAM_PUSH_AFTER_EOF', 'stream.push() after EOF'));
          return false;
        }
        let piece = bytes(chunk, encoding, state.objects);
        if (state.decoder !== null) piece = state.decoder.write(piece);
        if (size(piece, state.objects) > 0) {
          state.queue.push(piece);
          state.held += size(piece, state.objects);
        }
      }
      schedule(this);
      return state.held < state.limit && !state.ended;
    },
    unshift(chunk, encoding) {
      const state = this._readableState;
      const piece = bytes(chunk, encoding, state.objects);
      state.queue.unshift(piece);
      state.held += size(piece, state.objects);
      schedule(this);
    },
    read() {
      const state = this._readableState;
      if (state.queue.length === 0) {
        pull(this);
        if (state.queue.length === 0) {
          finishReading(this);
          return null;
        }
      }
      if (state.objects) {
        const chunk = take(this);
        schedule(this);
        return chunk;
      }
      const all = state.queue.splice(0);
      state.held = 0;
      schedule(this);
      return state.decoder === null ? Buffer.concat(all) : all.join('');
    },
    on(name, listener) {
      EventEmitter.prototype.on.call(this, name, listener);
      if (name === 'data' && this._readableState.flowing !== false) this.resume();
      if (name === 'readable') schedule(this);
      return this;
    },
    addListener(name, listener) {
      return this.on(name, listener);
    },
    pause() {
      this._readableState.flowing = false;
      return this;
    },
    resume() {
      this._readableState.flowing = true;
      schedule(this);
      return this;
    },
    isPaused() {
      return this._readableState.flowing === false;
    },
    setEncoding(encoding) {
      const { StringDecoder } = require('string_decoder');
      const state = this._readableState;
      state.decoder = new StringDecoder(encoding);
      state.queue = state.queue.map((chunk) => state.decoder.write(chunk));
      return this;
    },
    pipe(target, options) {
      const feed = (chunk) => {
        if (target.write(chunk) === false) this.pause();
      };
      const finish = () => target.end();
      const resume = () => this.resume();
      this.on('data', feed);
      target.on('drain', resume);
      if (options?.end !== false) this.once('end', finish);
      this._pipes = [...(this._pipes ?? []), { target, feed, finish, resume }];
      target.emit('pipe', this);
      return target;
    },
    unpipe(target) {
      for (const pipe of this._pipes ?? []) {
        if (target !== undefined && pipe.target !== target) continue;
        this.removeListener('data', pipe.feed);
        this.removeListener('end', pipe.finish);
        pipe.target.removeListener('drain', pipe.resume);
        pipe.target.emit('unpipe', this);
      }
      this._pipes = (this._pipes ?? []).filter((pipe) => target !== undefined && pipe.target !== target);
      return this;
    },
    get readableEnded() {
      return this._readableState.endEmitted;
    },
    get readableFlowing() {
      return this._readableState.flowing;
    },
    get readableLength() {
      return this._readableState.held;
    },
    get readableObjectMode() {
      return this._readableState.objects;
    },
    get readableHighWaterMark() {
      return this._readableState.limit;
    },
    async *[Symbol.asyncIterator]() {
      let wake = () => {};
      let failure;
      let done = false;
      const queue = [];
      const notify = () => wake();
      this.on('error', (error) => {
        failure = error;
        notify();
      });
      for (const name of ['end', 'close']) {
        this.on(name, () => {
          done = true;
          notify();
        });
      }
      this.on('data', (chunk) => {
        queue.push(chunk);
        this.pause();
        notify();
      });
      try {
        for (;;) {
          if (queue.length > 0) {
            yield queue.shift();
            if (queue.length === 0 && !this._readableState.endEmitted) this.resume();
          } else if (failure !== undefined) throw failure;
          else if (done) return;
          else {
            await new Promise((resolve) => {
              wake = resolve;
            });
          }
        }
      } finally {
        this.destroy();
      }
    },
  });
  Readable.from = (source, options) => {
    const items = typeof source === 'string' || source instanceof Uint8Array ? [source] : source;
    const iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]();
    return new Readable({
      objectMode: true,
      highWaterMark: 1,
      ...options,
      read() {
        Promise.resolve(iterator.next()).then(
          async ({ done, value }) => this.push(done ? null : await value),
          (error) => this.destroy(error),
        );
      },
      destroy(error, callback) {
        Promise.resolve(iterator.return?.()).then(() => callback(error), callback);
      },
    });
  };

  function setUpWritable(stream, options) {
    const objects = Boolean(options.objectMode ?? options.writableObjectMode);
    stream._writableState = {
      objects,
      limit: options.writableHighWaterMark ?? options.highWaterMark ?? (objects ? 16 : 65536),
      decode: options.decodeStrings !== false,
      encoding: options.defaultEncoding ?? 'utf8',
      queue: [],
      held: 0,
      busy: false,
      draining: false,
      ending: false,
      finished: false,
      finishing: false,
    };
    for (const name of ['write', 'writev', 'final']) {
      if (typeof options[name] === 'function') stream[`_${name}`] = options[name];
    }
  }

  function Writable(options = {}) {
    if (!(this instanceof Writable) && !(this instanceof Duplex)) return new Writable(options);
    Stream.call(this, options);
    setUp(this, options);
    setUpWritable(this, options);
  }

  function finishWriting(stream) {
    const state = stream._writableState;
    if (!state.ending || state.busy || state.queue.length > 0 || state.finishing || stream.destroyed) return;
    state.finishing = true;
    const done = (error) => {
      if (error) {
        stream.destroy(error);
        return;
      }
      process.nextTick(() => {
        state.finished = true;
        stream.writable = false;
        stream.emit('finish');
        const reading = stream._readableState;
        if (stream._autoDestroy && (reading === undefined || reading.endEmitted)) stream.destroy();
      });
    };
    try {
      stream._final(done);
    } catch (error) {
      done(error);
    }
  }

  function work(stream) {
    const state = stream._writableState;
    if (state.busy || stream.destroyed) return;
    const next = state.queue.shift();
    if (next === undefined) {
      finishWriting(stream);
      return;
    }
    state.busy = true;
    let sync = true;
    const done = (error) => {
      state.busy = false;
      state.held -= size(next.chunk, state.objects);
      if (error) {
        next.callback?.(error);
        stream.destroy(error);
        return;
      }
      const after = () => {
        next.callback?.(null);
        if (state.draining && state.held < state.limit && !state.ending) {
          state.draining = false;
          stream.emit('drain');
        }
        work(stream);
      };
      if (sync) process.nextTick(after);
      else after();
    };
    try {
      stream._write(next.chunk, next.encoding, done);
    } catch (error) {
      done(error);
    }
    sync = false;
  }

  const writing = {
    _write(chunk, encoding, callback) {
      if (this._writev === undefined) {
        callback(coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', 'The _write() method is not implemented'));
      } else this._writev([{ chunk, encoding }], callback);
    },
    _final(callback) {
      callback();
    },
    write(chunk, encoding, callback) {
      const [kind, then] = typeof encoding === 'function' ? [undefined, encoding] : [encoding, callback];
      const state = this._writableState;
      if (state.ending || this.destroyed) {
        const error = state.ending
          ? coded(Error, 'ERR_STREAM_WRITE_AFTER_END', 'write after end')
          : coded(Error, 'ERR_STREAM_DESTROYED', 'Cannot call write after a stream was destroyed');
        process.nextTick(() => then?.(error));
        if (state.ending) this.destroy(error);
        return false;
      }
      if (chunk === null) throw coded(TypeError, 'ERR_STREAM_NULL_VALUES', 'May not write null values to stream');
      const keep = state.objects || (!state.decode && typeof chunk === 'string');
      const piece = bytes(chunk, kind ?? state.encoding, keep);
      state.queue.push({ chunk: piece, encoding: typeof piece === 'string' ? (kind ?? state.encoding) : 'buffer', callback: then });
      state.held += size(piece, state.objects);
      const room = state.held < state.limit;
      if (!room) state.draining = true;
      work(this);
      return room;
    },
    end(chunk, encoding, callback) {
      let then = callback;
      let kind = encoding;
      let last = chunk;
      if (typeof last === 'function') [last, then] = [undefined, last];
      else if (typeof kind === 'function') [kind, then] = [undefined, kind];
      const state = this._writableState;
      if (last !== undefined && last !== null) this.write(last, kind);
      if (typeof then === 'function') {
        if (state.finished) process.nextTick(then);
        else this.once('finish', then);
      }
      state.ending = true;
      work(this);
      return this;
    },
    cork() {},
    uncork() {},
    setDefaultEncoding(encoding) {
      this._writableState.encoding = encoding;
      return this;
    },
    get writableEnded() {
      return this._writableState.ending;
    },
    get writableFinished() {
      return this._writableState.finished;
    },
    get writableLength() {
      return this._writableState.held;
    },
    get writableNeedDrain() {
      return this._writableState.draining;
    },
    get writableObjectMode() {
      return this._writableState.objects;
    },
    get writableHighWaterMark() {
      return this._writableState.limit;
    },
  };
  inherit(Writable, Stream, { ...destruction, writable: true });
  define(Writable, writing);
  Object.defineProperty(Writable, Symbol.hasInstance, {
    value(instance) {
      if (Function.prototype[Symbol.hasInstance].call(this, instance)) return true;
      return this === Writable && instance?._writableState !== undefined;
    },
  });

  function Duplex(options = {}) {
    if (!(this instanceof Duplex)) return new Duplex(options);
    Readable.call(this, options);
    setUpWritable(this, options);
    this.allowHalfOpen = options.allowHalfOpen !== false;
  }
  inherit(Duplex, Readable, { writable: true });
  define(Duplex, writing);

  function Transform(options = {}) {
    if (!(this instanceof Transform)) return new Transform(options);
    Duplex.call(this, options);
    if (typeof options.transform === 'function') this._transform = options.transform;
    if (typeof options.flush === 'function') this._flush = options.flush;
    this._waiting = null;
  }
  inherit(Transform, Duplex, {
    _transform() {
      throw coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', 'The _transform() method is not implemented');
    },
    _write(chunk, encoding, callback) {
      this._transform(chunk, encoding, (error, value) => {
        if (error) {
          callback(error);
          return;
        }
        if (value !== undefined && value !== null) this.push(value);
        // The next chunk waits until what came of this one is wanted.
        if (this._readableState.held < this._readableState.limit) callback();
        else this._waiting = callback;
      });
    },
    _final(callback) {
      const finish = (error, value) => {
        if (!error) {
          if (value !== undefined && value !== null) this.push(value);
          this.push(null);
        }
        callback(error);
      };
      if (typeof this._flush === 'function') this._flush(finish);
      else finish();
    },
    _read() {
      this._readableState.reading = false;
      const waiting = this._waiting;
      this._waiting = null;
      waiting?.();
    },
  });

  function PassThrough(options) {
    if (!(this instanceof PassThrough)) return new PassThrough(options);
    Transform.call(this, options);
  }
  inherit(PassThrough, Transform, {
    _transform(chunk, encoding, callback) {
      callback(null, chunk);
    },
  });

  // Calls back once the stream has ended, finished or failed.
  function finished(stream, options, callback) {
    const [settings, then] = typeof options === 'function' ? [{}, options] : [options ?? {}, callback];
    const reads = settings.readable !== false && stream._readableState !== undefined;
    const writes = settings.writable !== false && stream._writableState !== undefined;
    let over = false;
    const isOver = () => (!reads || stream._readableState.endEmitted) && (!writes || stream._writableState.finished);
    const settle = (error) => {
      if (over) return;
      over = true;
      forget();
      then.call(stream, error);
    };
    const check = () => {
      if (isOver()) settle();
    };
    const closed = () => {
      if (isOver()) settle();
      else settle(stream.errored ?? coded(Error, 'ERR_STREAM_PREMATURE_CLOSE', 'Premature close'));
    };
    const events = [['end', check], ['finish', check], ['error', settle], ['close', closed]];
    events.forEach(([name, listener]) => stream.on(name, listener));
    const forget = () => events.forEach(([name, listener]) => stream.removeListener(name, listener));
    if (stream.closed || stream.errored) process.nextTick(closed);
    else if (isOver()) process.nextTick(settle);
    return forget;
  }

  function stage(value, previous) {
    if (typeof value !== 'function') return typeof value.pipe === 'function' || typeof value.write === 'function' ? value : Readable.from(value);
    return value(previous);
  }

  function pipeline(...stages) {
    const callback = typeof stages.at(-1) === 'function' && stages.length > 1 ? stages.pop() : () => {};
    const list = stages.length === 1 && Array.isArray(stages[0]) ? stages[0] : stages;
    const streams = [];
    let result;
    for (const entry of list) {
      const made = stage(entry, streams.at(-1));
      if (typeof made?.then === 'function') result = made;
      else streams.push(typeof made?.on === 'function' ? made : Readable.from(made));
    }
    let called = false;
    const settle = (error, value) => {
      if (called) return;
      called = true;
      if (error) for (const stream of streams) stream.destroy();
      callback(error ?? undefined, value);
    };
    streams.forEach((stream, index) => {
      if (index + 1 < streams.length) stream.pipe(streams[index + 1]);
      const last = index === streams.length - 1;
      finished(stream, { readable: !last || index === 0, writable: index > 0 }, (error) => {
        if (error) settle(error);
        else if (last && result === undefined) settle();
      });
    });
    result?.then((value) => settle(undefined, value), settle);
    return streams.at(-1);
  }

  const promises = {
    pipeline: (...stages) =>
      new Promise((resolve, reject) => {
        pipeline(...stages, (error, value) => (error ? reject(error) : resolve(value)));
      }),
    finished: (stream, options) =>
      new Promise((resolve, reject) => {
        finished(stream, options, (error) => (error ? reject(error) : resolve()));
      }),
  };
  const custom = Symbol.for('nodejs.util.promisify.custom');
  pipeline[custom] = promises.pipeline;
  finished[custom] = promises.finished;
  return Object.assign(Stream, { Stream, Readable, Writable, Duplex, Transform, PassThrough, pipeline, finished, promises });
});
