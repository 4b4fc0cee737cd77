// Timers and microtasks: handles as in Node over the timers of the event loop. A handle is deliberately no plain object:
// a handler that returns one has returned no result (lambda-edge.md 5.2, rule 2).
(function (host) {
  'use strict';

  const LONGEST = 2147483647; // milliseconds; more counts as 1, as in Node

  function milliseconds(delay) {
    const number = Number(delay);
    return number >= 1 && number <= LONGEST ? Math.trunc(number) : 1;
  }

  function callable(callback) {
    if (typeof callback !== 'function') throw new TypeError('The "callback" argument must be of type function.');
    return callback;
  }

  class Timeout {
    #start;
    #id;
    #refed = true;

    constructor(start) {
      this.#start = start;
      this.#id = start();
    }
    ref() {
      this.#refed = true;
      host.keepAlive(this.#id, true);
      return this;
    }
    unref() {
      this.#refed = false;
      host.keepAlive(this.#id, false);
      return this;
    }
    hasRef() {
      return this.#refed;
    }
    refresh() {
      host.stopTimer(this.#id);
      this.#id = this.#start();
      host.keepAlive(this.#id, this.#refed);
      return this;
    }
    close() {
      host.stopTimer(this.#id);
      return this;
    }
    [Symbol.toPrimitive]() {
      return this.#id;
    }
  }

  class Immediate extends Timeout {}

  function clear(handle) {
    if (handle instanceof Timeout) handle.close();
    else if (typeof handle === 'number' || typeof handle === 'string') host.stopTimer(Number(handle));
  }

  function timer(repeat) {
    return (callback, delay, ...values) => {
      const run = values.length === 0 ? callable(callback) : callable(callback).bind(undefined, ...values);
      return new Timeout(() => host.startTimer(run, milliseconds(delay), repeat));
    };
  }

  globalThis.setTimeout = timer(false);
  globalThis.setInterval = timer(true);
  globalThis.setImmediate = (callback, ...values) => {
    const run = callable(callback).bind(undefined, ...values);
    return new Immediate(() => host.startImmediate(run));
  };
  const custom = Symbol.for('nodejs.util.promisify.custom');
  globalThis.setTimeout[custom] = (delay, value) => new Promise((resolve) => setTimeout(resolve, delay, value));
  globalThis.setImmediate[custom] = (value) => new Promise((resolve) => setImmediate(resolve, value));
  globalThis.clearTimeout = clear;
  globalThis.clearInterval = clear;
  globalThis.clearImmediate = clear;
  globalThis.queueMicrotask = (callback) => {
    callable(callback);
    // An exception must not be taken for a rejection of this promise alone: it ends the environment either way.
    Promise.resolve().then(() => callback());
  };
});
