// `url`: `URL` and `URLSearchParams` over the host's parser, and Node's older `parse`, `format` and `resolve`
// (lambda-edge.md 11, rank 3).
(function (host, require) {
  'use strict';

  const PARTS = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];

  function invalid(input, base) {
    const error = new TypeError('Invalid URL');
    error.code = 'ERR_INVALID_URL';
    error.input = input;
    if (base !== undefined) error.base = base;
    return error;
  }

  function decode(text) {
    const spaced = text.replace(/\+/g, ' ');
    return spaced.includes('%') ? host.percentDecode(spaced) : spaced;
  }

  function encode(text) {
    return encodeURIComponent(text.toWellFormed())
      .replace(/[!'()~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
      .replace(/%20/g, '+');
  }

  class URLSearchParams {
    #list = [];
    #changed = () => {};

    constructor(init = '') {
      if (init === null || init === undefined) return;
      if (typeof init === 'object' || typeof init === 'function') {
        if (typeof init[Symbol.iterator] === 'function') {
          for (const pair of init) {
            const [...both] = pair;
            if (both.length !== 2) throw new TypeError('Each query pair must be an iterable [name, value] tuple');
            this.#list.push([String(both[0]), String(both[1])]);
          }
        } else for (const name of Reflect.ownKeys(init)) this.#list.push([String(name), String(init[name])]);
      } else this.#read(String(init));
    }
    #read(text) {
      const query = text.startsWith('?') ? text.slice(1) : text;
      this.#list = query
        .split('&')
        .filter((pair) => pair !== '')
        .map((pair) => {
          const at = pair.indexOf('=');
          return at < 0 ? [decode(pair), ''] : [decode(pair.slice(0, at)), decode(pair.slice(at + 1))];
        });
    }
    // Ties the list to an address: what changes here changes its query.
    static of(search, changed) {
      const params = new URLSearchParams(search);
      params.#changed = changed;
      return params;
    }
    static refresh(params, search) {
      params.#read(search);
    }
    get size() {
      return this.#list.length;
    }
    append(name, value) {
      this.#list.push([String(name), String(value)]);
      this.#changed(this);
    }
    delete(name, value) {
      const gone = ([key, held]) => key === String(name) && (value === undefined || held === String(value));
      this.#list = this.#list.filter((pair) => !gone(pair));
      this.#changed(this);
    }
    get(name) {
      return this.#list.find(([key]) => key === String(name))?.[1] ?? null;
    }
    getAll(name) {
      return this.#list.filter(([key]) => key === String(name)).map(([, value]) => value);
    }
    has(name, value) {
      return this.#list.some(([key, held]) => key === String(name) && (value === undefined || held === String(value)));
    }
    set(name, value) {
      const at = this.#list.findIndex(([key]) => key === String(name));
      if (at < 0) this.#list.push([String(name), String(value)]);
      else {
        this.#list[at] = [String(name), String(value)];
        this.#list = this.#list.filter(([key], index) => index <= at || key !== String(name));
      }
      this.#changed(this);
    }
    sort() {
      this.#list.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
      this.#changed(this);
    }
    forEach(callback, self) {
      for (const [name, value] of this.#list) callback.call(self, value, name, this);
    }
    *entries() {
      for (let index = 0; index < this.#list.length; index += 1) yield [...this.#list[index]];
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
    toString() {
      return this.#list.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
    }
    get [Symbol.toStringTag]() {
      return 'URLSearchParams';
    }
  }
  const { of: tied, refresh } = URLSearchParams;
  delete URLSearchParams.of;
  delete URLSearchParams.refresh;

  class URL {
    #parts;
    #params;

    constructor(input, base) {
      const against = base === undefined ? undefined : String(base);
      this.#parts = host.parseUrl(String(input), against);
      if (this.#parts === undefined) throw invalid(String(input), against);
    }
    static canParse(input, base) {
      return host.parseUrl(String(input), base === undefined ? undefined : String(base)) !== undefined;
    }
    static parse(input, base) {
      return URL.canParse(input, base) ? new URL(input, base) : null;
    }
    static read(url, index) {
      return url.#parts[index];
    }
    static write(url, part, value) {
      const changed = host.changeUrl(url.#parts[0], part, String(value));
      if (changed === undefined) throw invalid(String(value));
      url.#parts = changed;
      if (url.#params !== undefined && (part === 'search' || part === 'href')) refresh(url.#params, changed[9]);
    }
    get searchParams() {
      this.#params ??= tied(this.#parts[9], (params) => {
        this.#parts = host.changeUrl(this.#parts[0], 'search', params.toString());
      });
      return this.#params;
    }
    toString() {
      return this.#parts[0];
    }
    toJSON() {
      return this.#parts[0];
    }
    get [Symbol.toStringTag]() {
      return 'URL';
    }
    [host.inspectKey](depth, options, inspect) {
      const shown = {};
      for (const part of PARTS) shown[part] = this[part];
      return `URL ${inspect(shown)}`;
    }
  }
  const { read, write } = URL;
  delete URL.read;
  delete URL.write;
  PARTS.forEach((part, index) => {
    Object.defineProperty(URL.prototype, part, {
      configurable: true,
      enumerable: true,
      get() {
        return read(this, index);
      },
      set: part === 'origin' ? undefined : function (value) {
        write(this, part, value);
      },
    });
  });
  Object.defineProperty(URL.prototype, 'searchParams', { enumerable: true });

  const SLASHED = new Set(['http:', 'https:', 'ftp:', 'file:', 'ws:', 'wss:']);

  function Url() {
    for (const part of ['protocol', 'slashes', 'auth', 'host', 'port', 'hostname', 'hash', 'search', 'query', 'pathname', 'path', 'href']) {
      this[part] = null;
    }
  }

  // Characters that Node's older parser never leaves in a path.
  function escaped(text) {
    return text.replace(/[\s<>"`{}|\\^']/g, (sign) => encodeURIComponent(sign).replace("'", '%27'));
  }

  function authority(url, rest) {
    const end = rest.search(/[/?#]/);
    let place = end < 0 ? rest : rest.slice(0, end);
    const at = place.lastIndexOf('@');
    if (at >= 0) {
      url.auth = host.percentDecode(place.slice(0, at));
      place = place.slice(at + 1);
    }
    const [, name, port] = /^(.*?)(?::(\d*))?$/s.exec(place);
    url.port = port || null;
    const lower = name.toLowerCase();
    url.hostname = lower.startsWith('[') ? lower.slice(1, -1) : host.domain(lower, true) || lower;
    url.host = (lower.startsWith('[') ? lower : url.hostname) + (port ? `:${port}` : '');
    return end < 0 ? '' : rest.slice(end);
  }

  function parse(input, parseQuery = false, slashesDenoteHost = false) {
    if (input instanceof Url) return input;
    if (typeof input !== 'string') {
      const error = new TypeError(`The "url" argument must be of type string. Received ${input === null ? 'null' : typeof input}`);
      error.code = 'ERR_INVALID_ARG_TYPE';
      throw error;
    }
    const url = new Url();
    let rest = input.trim().replace(/^[^?#]*/, (start) => start.replace(/\\/g, '/'));
    const scheme = /^[a-z0-9.+-]+:/i.exec(rest)?.[0];
    if (scheme !== undefined) {
      url.protocol = scheme.toLowerCase();
      rest = rest.slice(scheme.length);
    }
    if (rest.startsWith('//') && url.protocol !== 'javascript:' && (scheme !== undefined || slashesDenoteHost || /^\/\/[^@/]+@[^@/]+/.test(rest))) {
      url.slashes = true;
      rest = authority(url, rest.slice(2));
    }
    rest = escaped(rest);
    const hash = rest.indexOf('#');
    if (hash >= 0) {
      url.hash = rest.slice(hash);
      rest = rest.slice(0, hash);
    }
    const question = rest.indexOf('?');
    if (question >= 0) {
      url.search = rest.slice(question);
      url.query = rest.slice(question + 1);
      rest = rest.slice(0, question);
    } else if (parseQuery) {
      url.search = '';
      url.query = '';
    }
    if (parseQuery) url.query = require('querystring').parse(url.query);
    if (rest !== '') url.pathname = rest;
    if (SLASHED.has(url.protocol) && url.hostname && !url.pathname) url.pathname = '/';
    if (url.pathname !== null || url.search) url.path = (url.pathname ?? '') + (url.search ?? '');
    url.href = url.format();
    return url;
  }

  function format(url, options = {}) {
    if (typeof url === 'string') return parse(url).format();
    if (url instanceof URL) {
      const shown = new URL(url.href);
      if (options.auth === false) shown.username = shown.password = '';
      if (options.fragment === false) shown.hash = '';
      if (options.search === false) shown.search = '';
      return shown.href;
    }
    return Url.prototype.format.call(url);
  }

  Url.prototype.format = function () {
    const auth = this.auth ? `${encodeURIComponent(this.auth).replace(/%3A/i, ':')}@` : '';
    let protocol = this.protocol ?? '';
    if (protocol !== '' && !protocol.endsWith(':')) protocol += ':';
    let place = '';
    if (this.host) place = auth + this.host;
    else if (this.hostname) {
      const name = this.hostname.includes(':') ? `[${this.hostname}]` : this.hostname;
      place = auth + name + (this.port ? `:${this.port}` : '');
    }
    let query = '';
    if (this.query !== null && typeof this.query === 'object') query = require('querystring').stringify(this.query);
    let search = this.search || (query && `?${query}`) || '';
    let pathname = (this.pathname ?? '').replace(/[?#]/g, encodeURIComponent);
    if (this.slashes || ((protocol === '' || SLASHED.has(protocol)) && place !== '')) {
      if (place !== '' && pathname !== '' && !pathname.startsWith('/')) pathname = `/${pathname}`;
      place = `//${place}`;
    }
    let hash = this.hash ?? '';
    if (hash !== '' && !hash.startsWith('#')) hash = `#${hash}`;
    if (search !== '' && !search.startsWith('?')) search = `?${search}`;
    return protocol + place + pathname + search.replace(/#/g, '%23') + hash;
  };
  Url.prototype.resolve = function (relative) {
    return resolve(this.href, relative);
  };

  function resolve(from, to) {
    const base = 'resolve://edgehook.invalid/';
    const resolved = new URL(to, new URL(from, base));
    if (resolved.protocol !== 'resolve:') return resolved.href;
    const rest = resolved.pathname + resolved.search + resolved.hash;
    return /^\//.test(from) || /^\//.test(to) ? rest : rest.replace(/^\//, '');
  }

  return {
    URL,
    URLSearchParams,
    Url,
    parse,
    format,
    resolve,
    domainToASCII: (name) => host.domain(String(name), true),
    domainToUnicode: (name) => host.domain(String(name), false),
    fileURLToPath(value) {
      const url = new URL(value);
      if (url.protocol !== 'file:') throw Object.assign(new TypeError('The URL must be of scheme file'), { code: 'ERR_INVALID_URL_SCHEME' });
      return decodeURIComponent(url.pathname);
    },
    pathToFileURL(path) {
      const url = new URL('file:///');
      url.pathname = require('path').resolve(path).replace(/%/g, '%25');
      return url;
    },
    urlToHttpOptions(url) {
      const { protocol, hostname, hash, search, pathname, href } = url;
      const options = { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), hash, search, pathname, path: pathname + search, href };
      if (url.port !== '') options.port = Number(url.port);
      if (url.username || url.password) options.auth = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      return options;
    },
  };
});
