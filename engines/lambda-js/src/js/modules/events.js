// `events`: `EventEmitter` (lambda-edge.md 11, rank 9). A plain function, since older code calls it without `new`.
(function () {
  'use strict';

  const ERROR_MONITOR = Symbol('events.errorMonitor');

  function EventEmitter() {
    this._events = Object.create(null);
  }

  function listeners(emitter) {
    // A subclass may never have called the constructor.
    if (!Object.hasOwn(emitter, '_events') || emitter._events === undefined) emitter._events = Object.create(null);
    return emitter._events;
  }

  function check(listener) {
    if (typeof listener === 'function') return;
    const error = new TypeError(`The "listener" argument must be of type function. Received ${listener === null ? 'null' : typeof listener}`);
    error.code = 'ERR_INVALID_ARG_TYPE';
    throw error;
  }

  function add(emitter, name, listener, first) {
    check(listener);
    const all = listeners(emitter);
    if (all.newListener !== undefined) emitter.emit('newListener', name, listener.listener ?? listener);
    const list = all[name] ?? [];
    all[name] = first ? [listener, ...list] : [...list, listener];
    return emitter;
  }

  function onceOnly(emitter, name, listener) {
    check(listener);
    const wrapped = (...values) => {
      emitter.removeListener(name, wrapped);
      return listener.apply(emitter, values);
    };
    wrapped.listener = listener;
    return wrapped;
  }

  const methods = {
    on(name, listener) {
      return add(this, name, listener, false);
    },
    prependListener(name, listener) {
      return add(this, name, listener, true);
    },
    once(name, listener) {
      return add(this, name, onceOnly(this, name, listener), false);
    },
    prependOnceListener(name, listener) {
      return add(this, name, onceOnly(this, name, listener), true);
    },
    removeListener(name, listener) {
      const all = listeners(this);
      const list = all[name] ?? [];
      const at = list.findLastIndex((known) => known === listener || known.listener === listener);
      if (at < 0) return this;
      const left = list.toSpliced(at, 1);
      if (left.length === 0) delete all[name];
      else all[name] = left;
      if (all.removeListener !== undefined) this.emit('removeListener', name, listener);
      return this;
    },
    removeAllListeners(name) {
      if (name === undefined) this._events = Object.create(null);
      else delete listeners(this)[name];
      return this;
    },
    emit(name, ...values) {
      const all = listeners(this);
      if (name === 'error' && all[ERROR_MONITOR] !== undefined) this.emit(ERROR_MONITOR, ...values);
      const list = all[name];
      if (list === undefined) {
        if (name !== 'error') return false;
        if (values[0] instanceof Error) throw values[0];
        throw Object.assign(new Error(`Unhandled error. (${String(values[0])})`), { code: 'ERR_UNHANDLED_ERROR', context: values[0] });
      }
      for (const listener of list) listener.apply(this, values);
      return true;
    },
    listeners(name) {
      return (listeners(this)[name] ?? []).map((listener) => listener.listener ?? listener);
    },
    rawListeners(name) {
      return [...(listeners(this)[name] ?? [])];
    },
    listenerCount(name, listener) {
      const list = listeners(this)[name] ?? [];
      return listener === undefined ? list.length : list.filter((known) => known === listener || known.listener === listener).length;
    },
    eventNames() {
      return Reflect.ownKeys(listeners(this));
    },
    setMaxListeners(count) {
      this._maxListeners = count;
      return this;
    },
    getMaxListeners() {
      return this._maxListeners ?? EventEmitter.defaultMaxListeners;
    },
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(EventEmitter.prototype, name, { value, configurable: true, enumerable: false, writable: true });
  }
  for (const [name, of] of [['addListener', 'on'], ['off', 'removeListener']]) {
    Object.defineProperty(EventEmitter.prototype, name, { value: EventEmitter.prototype[of], configurable: true, writable: true });
  }

  EventEmitter.defaultMaxListeners = 10;
  EventEmitter.errorMonitor = ERROR_MONITOR;
  EventEmitter.EventEmitter = EventEmitter;
  EventEmitter.once = (emitter, name) =>
    new Promise((resolve, reject) => {
      const failed = (error) => {
        emitter.removeListener(name, happened);
        reject(error);
      };
      const happened = (...values) => {
        emitter.removeListener('error', failed);
        resolve(values);
      };
      emitter.once(name, happened);
      if (name !== 'error') emitter.once('error', failed);
    });
  EventEmitter.listenerCount = (emitter, name) => emitter.listenerCount(name);
  return EventEmitter;
});
