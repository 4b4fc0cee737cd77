// The module `querystring` (lambda-edge.md 11, rank 1).
(function (host) {
  'use strict';

  // Percent-encodes the UTF-8 bytes of all but unreserved characters; lone surrogates are an error as in Node.
  function escape(value) {
    return encodeURIComponent(typeof value === 'object' && value !== null ? String(value) : value);
  }

  // Decodes what can be decoded and leaves broken escapes as they are.
  function unescape(text) {
    return host.percentDecode(String(text));
  }

  function parse(text, separator = '&', equals = '=', options = {}) {
    const result = Object.create(null);
    if (typeof text !== 'string' || text === '') return result;
    const decode = typeof options?.decodeURIComponent === 'function' ? options.decodeURIComponent : api.unescape;
    const most = options?.maxKeys ?? 1000;
    let pairs = text.split(separator || '&').filter((pair) => pair !== '');
    if (most > 0) pairs = pairs.slice(0, most);
    for (const pair of pairs) {
      const at = pair.indexOf(equals || '=');
      const plain = (part) => decode(part.replace(/\+/g, ' '));
      const name = plain(at < 0 ? pair : pair.slice(0, at));
      const value = at < 0 ? '' : plain(pair.slice(at + (equals || '=').length));
      if (!(name in result)) result[name] = value;
      else if (Array.isArray(result[name])) result[name].push(value);
      else result[name] = [result[name], value];
    }
    return result;
  }

  function scalar(value) {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
    return typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : '';
  }

  function stringify(object, separator = '&', equals = '=', options = {}) {
    if (object === null || typeof object !== 'object') return '';
    const encode = typeof options?.encodeURIComponent === 'function' ? options.encodeURIComponent : api.escape;
    const pair = (name, value) => `${encode(name)}${equals || '='}${encode(scalar(value))}`;
    return Object.keys(object)
      .flatMap((name) => (Array.isArray(object[name]) ? object[name].map((value) => pair(name, value)) : [pair(name, object[name])]))
      .join(separator || '&');
  }

  const api = { parse, stringify, escape, unescape, decode: parse, encode: stringify };
  host.querystring = api;
});
