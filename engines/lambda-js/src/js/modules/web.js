// Web globals: `fetch` with its classes, `AbortController`, `TextEncoder`, `TextDecoder`, `performance`
// (lambda-edge.md 11, tier 1). Each is made when it is first used. Absent: `FormData`, `Blob`, web streams but for reading a body.
(function (host, require) {
  'use strict';

  const { Buffer } = host;

  class DOMException extends Error {
    constructor(message = '', name = 'Error') {
      super(message);
      Object.defineProperty(this, 'name', { value: name, configurable: true });
    }
  }

  class Event {
    constructor(type, init = {}) {
      Object.assign(this, { type: String(type), defaultPrevented: false, cancelable: Boolean(init.cancelable), target: null, timeStamp: 0 });
    }
    preventDefault() {
      if (this.cancelable) this.defaultPrevented = true;
    }
    stopPropagation() {}
    stopImmediatePropagation() {}
  }

  class EventTarget {
    #listeners = [];

    addEventListener(type, listener, options = {}) {
      if (listener === null || this.#listeners.some((known) => known.type === type && known.listener === listener)) return;
      this.#listeners.push({ type, listener, once: Boolean(options?.once) });
    }
    removeEventListener(type, listener) {
      this.#listeners = this.#listeners.filter((known) => known.type !== type || known.listener !== listener);
    }
    dispatchEvent(event) {
      event.target = event.currentTarget = this;
      if (typeof this[`on${event.type}`] === 'function') this[`on${event.type}`](event);
      for (const { type, listener, once } of [...this.#listeners]) {
        if (type !== event.type) continue;
        if (once) this.removeEventListener(type, listener);
        if (typeof listener === 'function') listener.call(this, event);
        else listener.handleEvent(event);
      }
      return !event.defaultPrevented;
    }
  }

  const making = Symbol('making');

  class AbortSignal extends EventTarget {
    constructor(key) {
      if (key !== making) throw new TypeError('Illegal constructor');
      super();
      this.aborted = false;
      this.reason = undefined;
      this.onabort = null;
    }
    throwIfAborted() {
      if (this.aborted) throw this.reason;
    }
    static abort(reason) {
      const controller = new AbortController();
      controller.abort(reason);
      return controller.signal;
    }
    static timeout(delay) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), delay).unref();
      return controller.signal;
    }
    static any(signals) {
      const controller = new AbortController();
      for (const signal of signals) {
        if (signal.aborted) controller.abort(signal.reason);
        else signal.addEventListener('abort', () => controller.abort(signal.reason));
      }
      return controller.signal;
    }
  }

  class AbortController {
    #signal = new AbortSignal(making);

    get signal() {
      return this.#signal;
    }
    abort(reason = new DOMException('This operation was aborted', 'AbortError')) {
      if (this.#signal.aborted) return;
      this.#signal.aborted = true;
      this.#signal.reason = reason;
      this.#signal.dispatchEvent(new Event('abort'));
    }
  }

  class TextEncoder {
    get encoding() {
      return 'utf-8';
    }
    encode(text = '') {
      return new Uint8Array(host.encode(String(text), 'utf8'));
    }
    encodeInto(text, target) {
      let read = 0;
      let written = 0;
      for (const sign of String(text)) {
        const bytes = this.encode(sign);
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        read += sign.length;
        written += bytes.length;
      }
      return { read, written };
    }
  }

  class TextDecoder {
    #rest = Buffer.alloc(0);
    #begun = false;

    constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
      const encoding = host.encodingOf(String(label));
      if (encoding === undefined) throw Object.assign(new RangeError(`The "${label}" encoding is not supported`), { code: 'ERR_ENCODING_NOT_SUPPORTED' });
      Object.assign(this, { encoding, fatal: Boolean(fatal), ignoreBOM: Boolean(ignoreBOM) });
    }
    decode(input = new Uint8Array(), { stream = false } = {}) {
      const view = input instanceof ArrayBuffer ? Buffer.from(input) : Buffer.from(input.buffer, input.byteOffset, input.byteLength);
      let bytes = Buffer.concat([this.#rest, view]);
      this.#rest = Buffer.alloc(0);
      if (stream) {
        const whole = bytes.length - (this.encoding === 'utf-8' ? host.unfinishedUtf8(bytes) : this.encoding.startsWith('utf-16') ? bytes.length % 2 : 0);
        this.#rest = bytes.subarray(whole);
        bytes = bytes.subarray(0, whole);
      }
      const text = host.decodeText(this.encoding, this.fatal, this.ignoreBOM || this.#begun, bytes);
      this.#begun = stream && (this.#begun || bytes.length > 0);
      if (text === undefined) throw Object.assign(new TypeError(`The encoded data was not valid for encoding ${this.encoding}`), { code: 'ERR_ENCODING_INVALID_ENCODED_DATA' });
      return text;
    }
  }

  function headerName(name) {
    const text = String(name);
    if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(text)) throw new TypeError(`Headers: "${text}" is an invalid header name.`);
    return text.toLowerCase();
  }

  class Headers {
    #list = [];

    constructor(init) {
      if (init === undefined || init === null) return;
      const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
      for (const [name, value] of pairs) this.append(name, value);
    }
    append(name, value) {
      const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
      if (/[\0\n\r]/.test(text)) throw new TypeError(`Headers: "${text}" is an invalid header value.`);
      this.#list.push([headerName(name), text]);
    }
    delete(name) {
      const key = headerName(name);
      this.#list = this.#list.filter(([known]) => known !== key);
    }
    get(name) {
      const values = this.#list.filter(([known]) => known === headerName(name)).map(([, value]) => value);
      return values.length === 0 ? null : values.join(', ');
    }
    getSetCookie() {
      return this.#list.filter(([known]) => known === 'set-cookie').map(([, value]) => value);
    }
    has(name) {
      return this.get(name) !== null;
    }
    set(name, value) {
      this.delete(name);
      this.append(name, value);
    }
    forEach(callback, self) {
      for (const [name, value] of this) callback.call(self, value, name, this);
    }
    *entries() {
      const names = [...new Set(this.#list.map(([name]) => name))].sort();
      for (const name of names) {
        if (name === 'set-cookie') for (const value of this.getSetCookie()) yield [name, value];
        else yield [name, this.get(name)];
      }
    }
    *keys() {
      for (const [name] of this.entries()) yield name;
    }
    *values() {
      for (const [, value] of this.entries()) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    get [Symbol.toStringTag]() {
      return 'Headers';
    }
  }

  // A body from what callers give: its bytes (or a stream) and the type it implies.
  function extracted(body) {
    if (body === null || body === undefined) return [null, null];
    if (typeof body === 'string') return [Buffer.from(body), 'text/plain;charset=UTF-8'];
    if (body instanceof URLSearchParams) return [Buffer.from(body.toString()), 'application/x-www-form-urlencoded;charset=UTF-8'];
    if (body instanceof ArrayBuffer) return [Buffer.from(body), null];
    if (ArrayBuffer.isView(body)) return [Buffer.from(body.buffer, body.byteOffset, body.byteLength), null];
    if (typeof body[Symbol.asyncIterator] === 'function') return [body, null];
    return [Buffer.from(String(body)), 'text/plain;charset=UTF-8'];
  }

  class Body {
    #source = null;
    #used = false;

    constructor(source) {
      this.#source = source;
    }
    static source(body) {
      return body.#source;
    }
    get bodyUsed() {
      return this.#used;
    }
    get body() {
      if (this.#source === null) return null;
      const iterate = () => this.#chunks();
      return {
        [Symbol.asyncIterator]: iterate,
        getReader() {
          const iterator = iterate();
          return { read: () => iterator.next(), cancel: () => iterator.return(), releaseLock() {} };
        },
      };
    }
    async *#chunks() {
      if (this.#used) throw new TypeError('Body is unusable: Body has already been read');
      this.#used = true;
      if (this.#source === null) return;
      if (this.#source instanceof Uint8Array) yield new Uint8Array(this.#source);
      else for await (const chunk of this.#source) yield chunk;
    }
    async bytes() {
      const chunks = [];
      for await (const chunk of this.#chunks()) chunks.push(Buffer.from(chunk));
      return Uint8Array.from(Buffer.concat(chunks));
    }
    async arrayBuffer() {
      return (await this.bytes()).buffer;
    }
    async text() {
      return new TextDecoder().decode(await this.bytes());
    }
    async json() {
      return JSON.parse(await this.text());
    }
  }
  const { source } = Body;
  delete Body.source;

  class Request extends Body {
    constructor(input, init = {}) {
      const from = input instanceof Request ? input : undefined;
      const method = String(init.method ?? from?.method ?? 'GET').replace(/^(get|head|post|put|delete|options|patch)$/i, (name) => name.toUpperCase());
      const [body, type] = init.body !== undefined ? extracted(init.body) : [from === undefined ? null : source(from), null];
      if (body !== null && /^(GET|HEAD)$/.test(method)) throw new TypeError('Request with GET/HEAD method cannot have body.');
      super(body);
      this.method = method;
      this.url = from?.url ?? new URL(input).href;
      this.headers = new Headers(init.headers ?? from?.headers);
      this.redirect = init.redirect ?? from?.redirect ?? 'follow';
      this.signal = init.signal ?? from?.signal ?? new AbortController().signal;
      if (type !== null && !this.headers.has('content-type')) this.headers.set('content-type', type);
    }
    clone() {
      return new Request(this);
    }
  }

  class Response extends Body {
    constructor(body, init = {}) {
      const [content, type] = extracted(body);
      super(content);
      const status = init.status ?? 200;
      if (status < 200 || status > 599) throw new RangeError(`init["status"] must be in the range of 200 to 599, inclusive.`);
      Object.assign(this, { status, statusText: String(init.statusText ?? ''), type: 'default', url: '', redirected: false });
      this.headers = new Headers(init.headers);
      if (type !== null && !this.headers.has('content-type')) this.headers.set('content-type', type);
    }
    get ok() {
      return this.status >= 200 && this.status <= 299;
    }
    clone() {
      const held = source(this);
      if (held !== null && !(held instanceof Uint8Array)) throw new TypeError('a body that still streams cannot be cloned here; read it first');
      return Object.assign(new Response(held, this), { url: this.url, redirected: this.redirected });
    }
    static json(value, init = {}) {
      const headers = new Headers(init.headers);
      if (!headers.has('content-type')) headers.set('content-type', 'application/json');
      return new Response(JSON.stringify(value), { ...init, headers });
    }
    static error() {
      return Object.assign(Object.create(Response.prototype), { type: 'error', status: 0 });
    }
    static redirect(url, status = 302) {
      return new Response(null, { status, headers: { location: new URL(url).href } });
    }
  }

  const REDIRECTS = 20;

  function exchange(request, body) {
    const url = new URL(request.url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`fetch failed: scheme ${url.protocol} is not supported`);
    const library = require(url.protocol.slice(0, -1));
    const failed = (cause) => Object.assign(new TypeError('fetch failed'), { cause });
    return new Promise((resolve, reject) => {
      const sent = library.request(url, { method: request.method, headers: [...request.headers] });
      const stop = () => {
        reject(request.signal.reason);
        sent.destroy();
      };
      if (request.signal.aborted) return stop();
      request.signal.addEventListener('abort', stop);
      sent.on('error', (cause) => reject(failed(cause)));
      sent.on('response', resolve);
      sent.end(body ?? undefined);
      return undefined;
    });
  }

  // The bytes of a body that came packed; the names are those of Content-Encoding.
  function unpacked(message) {
    const zlib = require('zlib');
    const open = { gzip: zlib.createGunzip, 'x-gzip': zlib.createGunzip, deflate: zlib.createInflate, br: zlib.createBrotliDecompress };
    const name = message.headers['content-encoding']?.trim().toLowerCase();
    return open[name] === undefined ? message : message.pipe(open[name]());
  }

  function answered(message, request, redirected) {
    const empty = request.method === 'HEAD' || [204, 205, 304].includes(message.statusCode);
    const headers = [];
    for (let index = 0; index < message.rawHeaders.length; index += 2) headers.push(message.rawHeaders.slice(index, index + 2));
    if (empty) message.resume();
    const response = new Response(empty ? null : unpacked(message), { status: message.statusCode, statusText: message.statusMessage, headers });
    return Object.assign(response, { url: request.url, redirected });
  }

  async function fetch(input, init) {
    let request = new Request(input, init);
    for (const [name, value] of [['accept', '*/*'], ['user-agent', 'node'], ['accept-encoding', 'br, gzip, deflate']]) {
      if (!request.headers.has(name)) request.headers.set(name, value);
    }
    let body = source(request) === null ? null : Buffer.from(await request.bytes());
    for (let count = 0; ; count += 1) {
      const message = await exchange(request, body);
      const { location } = message.headers;
      const moved = [301, 302, 303, 307, 308].includes(message.statusCode) && location !== undefined;
      if (!moved || request.redirect === 'manual') return answered(message, request, count > 0);
      message.resume();
      if (request.redirect === 'error') throw new TypeError('fetch failed: unexpected redirect');
      if (count === REDIRECTS) throw new TypeError('fetch failed: redirect count exceeded');
      const target = new URL(location, request.url);
      const headers = new Headers(request.headers);
      let { method } = request;
      if (message.statusCode === 303 ? !/^(GET|HEAD)$/.test(method) : message.statusCode < 303 && method === 'POST') {
        method = 'GET';
        body = null;
        for (const name of ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length']) headers.delete(name);
      }
      if (target.origin !== new URL(request.url).origin) for (const name of ['authorization', 'cookie', 'host']) headers.delete(name);
      request = new Request(target.href, { method, headers, redirect: request.redirect, signal: request.signal });
    }
  }

  const performance = { now: () => host.uptime() * 1000, timeOrigin: Date.now() - host.uptime() * 1000, mark() {}, measure() {} };
  const { webcrypto } = require('crypto');
  return { DOMException, Event, EventTarget, AbortSignal, AbortController, TextEncoder, TextDecoder, Headers, Request, Response, fetch, performance, crypto: webcrypto, CryptoKey: webcrypto.CryptoKey };
});
