// `http` and `https`: requests over the host's client (lambda-edge.md 11, rank 7). Connections are kept by the host, whatever
// the agent says. Absent: servers, upgrades, trailers.
(function (host, require) {
  'use strict';

  const { Readable, Writable } = require('stream');
  const EventEmitter = require('events');
  const { Buffer } = host;

  const STATUS_CODES = {
    100: 'Continue', 101: 'Switching Protocols', 103: 'Early Hints', 200: 'OK', 201: 'Created', 202: 'Accepted',
    203: 'Non-Authoritative Information', 204: 'No Content', 205: 'Reset Content', 206: 'Partial Content', 300: 'Multiple Choices',
    301: 'Moved Permanently', 302: 'Found', 303: 'See Other', 304: 'Not Modified', 307: 'Temporary Redirect', 308: 'Permanent Redirect',
    400: 'Bad Request', 401: 'Unauthorized', 402: 'Payment Required', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
    406: 'Not Acceptable', 407: 'Proxy Authentication Required', 408: 'Request Timeout', 409: 'Conflict', 410: 'Gone',
    411: 'Length Required', 412: 'Precondition Failed', 413: 'Payload Too Large', 414: 'URI Too Long', 415: 'Unsupported Media Type',
    416: 'Range Not Satisfiable', 417: 'Expectation Failed', 418: "I'm a Teapot", 421: 'Misdirected Request', 422: 'Unprocessable Entity',
    425: 'Too Early', 426: 'Upgrade Required', 428: 'Precondition Required', 429: 'Too Many Requests',
    431: 'Request Header Fields Too Large', 451: 'Unavailable For Legal Reasons', 500: 'Internal Server Error', 501: 'Not Implemented',
    502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout', 505: 'HTTP Version Not Supported',
  };

  class Agent extends EventEmitter {
    constructor(options = {}) {
      super();
      Object.assign(this, { options, maxSockets: Infinity, maxFreeSockets: 256, sockets: {}, freeSockets: {}, requests: {} }, options);
    }
    destroy() {}
  }

  // Only a first field counts for these; `set-cookie` is always a list, the rest is joined.
  const SINGLE = new Set(['age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host', 'if-modified-since',
    'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after', 'server', 'user-agent']);

  function joined(fields) {
    const headers = Object.create(null);
    for (const [name, value] of fields) {
      const key = name.toLowerCase();
      if (key === 'set-cookie') (headers[key] ??= []).push(value);
      else if (headers[key] === undefined) headers[key] = value;
      else if (!SINGLE.has(key)) headers[key] += `${key === 'cookie' ? '; ' : ', '}${value}`;
    }
    return headers;
  }

  class IncomingMessage extends Readable {
    constructor(request, status, fields) {
      super({ read: () => host.wantBody(request.id) });
      Object.assign(this, {
        statusCode: status,
        statusMessage: STATUS_CODES[status] ?? '',
        httpVersion: '1.1',
        httpVersionMajor: 1,
        httpVersionMinor: 1,
        rawHeaders: fields.flat(),
        headers: joined(fields),
        trailers: {},
        rawTrailers: [],
        complete: false,
        aborted: false,
        req: request,
        socket: request.socket,
        connection: request.socket,
      });
    }
    get headersDistinct() {
      const all = Object.create(null);
      for (let index = 0; index < this.rawHeaders.length; index += 2) (all[this.rawHeaders[index].toLowerCase()] ??= []).push(this.rawHeaders[index + 1]);
      return all;
    }
    setTimeout() {
      return this;
    }
    _destroy(error, callback) {
      if (!this.complete) this.req.abandon();
      callback(error);
    }
  }

  function settings(defaults, input, options) {
    let given = {};
    if (typeof input === 'string') given = require('url').urlToHttpOptions(new URL(input));
    else if (input instanceof URL) given = require('url').urlToHttpOptions(input);
    else given = { ...input };
    const all = { ...defaults, ...given, ...options };
    const [, name, port] = /^(.*?)(?::(\d+))?$/.exec(all.host ?? 'localhost');
    all.hostname = all.hostname ?? (name.includes(':') ? all.host : name);
    all.port = all.port ?? all.defaultPort ?? (name.includes(':') ? undefined : port);
    return all;
  }

  class ClientRequest extends Writable {
    constructor(defaults, input, options, callback) {
      super({ autoDestroy: false });
      const all = settings(defaults, input, options);
      this.method = String(all.method ?? 'GET').toUpperCase();
      this.path = all.path ?? '/';
      this.protocol = all.protocol ?? defaults.protocol;
      this.host = all.hostname;
      this.fields = new Map();
      this.aborted = false;
      this.reusedSocket = false;
      this.body = [];
      this.wait = all.timeout;
      this.socket = Object.assign(new EventEmitter(), { setKeepAlive() {}, setNoDelay() {}, setTimeout() {}, destroy: () => this.destroy(), encrypted: this.protocol === 'https:' });
      if (this.protocol !== 'http:' && this.protocol !== 'https:') {
        throw Object.assign(new TypeError(`Protocol "${this.protocol}" not supported. Expected "${defaults.protocol}"`), { code: 'ERR_INVALID_PROTOCOL' });
      }
      if (/[\0- ]/.test(this.path)) throw Object.assign(new TypeError('Request path contains unescaped characters'), { code: 'ERR_UNESCAPED_CHARACTERS' });
      const name = all.hostname.includes(':') && !all.hostname.startsWith('[') ? `[${all.hostname}]` : all.hostname;
      const place = all.port === undefined || all.port === '' ? name : `${name}:${all.port}`;
      this.address = `${this.protocol}//${place}`;
      const list = Array.isArray(all.headers) ? all.headers : Object.entries(all.headers ?? {});
      for (const [header, value] of list) if (value !== undefined) this.setHeader(header, value);
      if (all.auth && !this.hasHeader('authorization')) this.setHeader('Authorization', `Basic ${Buffer.from(all.auth).toString('base64')}`);
      all.signal?.addEventListener('abort', () => this.destroy(all.signal.reason));
      if (callback) this.once('response', callback);
    }
    setHeader(name, value) {
      if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name)) {
        throw Object.assign(new TypeError(`Header name must be a valid HTTP token ["${name}"]`), { code: 'ERR_INVALID_HTTP_TOKEN' });
      }
      for (const each of [value].flat()) {
        if (/[^\t\x20-\x7e\x80-\xff]/.test(String(each))) {
          throw Object.assign(new TypeError(`Invalid character in header content ["${name}"]`), { code: 'ERR_INVALID_CHAR' });
        }
      }
      this.fields.set(name.toLowerCase(), [name, value]);
      return this;
    }
    getHeader(name) {
      return this.fields.get(String(name).toLowerCase())?.[1];
    }
    getHeaders() {
      return Object.fromEntries([...this.fields].map(([key, [, value]]) => [key, value]));
    }
    getHeaderNames() {
      return [...this.fields.keys()];
    }
    hasHeader(name) {
      return this.fields.has(String(name).toLowerCase());
    }
    removeHeader(name) {
      this.fields.delete(String(name).toLowerCase());
    }
    flushHeaders() {}
    setNoDelay() {}
    setSocketKeepAlive() {}
    setTimeout(delay, callback) {
      this.wait = delay;
      if (callback) this.once('timeout', callback);
      if (this.id !== undefined) this.watch();
      return this;
    }
    watch() {
      clearTimeout(this.timer);
      if (this.wait > 0) this.timer = setTimeout(() => this.emit('timeout'), this.wait);
    }
    abort() {
      this.aborted = true;
      this.emit('abort');
      this.destroy();
    }
    abandon() {
      clearTimeout(this.timer);
      if (this.id !== undefined) host.abandonRequest(this.id);
    }
    _write(chunk, encoding, callback) {
      this.body.push(Buffer.from(chunk));
      callback();
    }
    _final(callback) {
      const fields = [...this.fields.values()].flatMap(([name, value]) => [value].flat().map((each) => [name, String(each)]));
      this.watch();
      this.id = host.startRequest(this.method, this.address, this.path, fields, Buffer.concat(this.body), (kind, first, second) =>
        this.receive(kind, first, second),
      );
      process.nextTick(() => {
        this.emit('socket', this.socket);
        this.socket.emit('connect');
      });
      callback();
    }
    // What the host tells about the exchange.
    receive(kind, first, second) {
      if (this.over) return;
      if (kind !== 'failed') this.watch();
      if (kind === 'head') {
        this.response = this.res = new IncomingMessage(this, first, second);
        if (!this.emit('response', this.response)) this.response.resume();
      } else if (kind === 'chunk') this.response.push(Buffer.from(first));
      else {
        this.over = true;
        clearTimeout(this.timer);
        if (kind === 'end') {
          this.response.complete = true;
          this.response.push(null);
          this.response.once('close', () => super.destroy());
        } else this.failed(Object.assign(new Error(second), { code: first }));
      }
    }
    failed(error) {
      if (this.response === undefined) this.destroy(error);
      else {
        this.response.aborted = true;
        this.response.emit('aborted');
        this.response.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
      }
    }
    _destroy(error, callback) {
      const complete = this.response?.complete === true;
      this.over = true;
      this.abandon();
      const early = this.response === undefined && error === null;
      callback(early ? Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }) : error);
      if (this.response !== undefined && !complete) this.response.destroy(error ?? undefined);
    }
  }

  function over(protocol, port) {
    const globalAgent = new Agent();
    const defaults = { protocol, defaultPort: port };
    const request = (input, options, callback) => {
      const [rest, then] = typeof options === 'function' ? [undefined, options] : [options, callback];
      const made = new ClientRequest(defaults, input, rest, then);
      if (made.protocol === 'http:' && protocol === 'https:' ) {
        throw Object.assign(new TypeError('Protocol "http:" not supported. Expected "https:"'), { code: 'ERR_INVALID_PROTOCOL' });
      }
      if (made.protocol === 'https:' && protocol === 'http:') {
        throw Object.assign(new TypeError('Protocol "https:" not supported. Expected "http:"'), { code: 'ERR_INVALID_PROTOCOL' });
      }
      return made;
    };
    const unavailable = () => {
      throw new Error('servers are not available in the boa engine');
    };
    return {
      request,
      get(...values) {
        const made = request(...values);
        made.end();
        return made;
      },
      Agent,
      globalAgent,
      ClientRequest,
      IncomingMessage,
      METHODS: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'],
      STATUS_CODES,
      maxHeaderSize: 16384,
      createServer: unavailable,
    };
  }
  return { http: over('http:', undefined), https: over('https:', undefined) };
});
