// `Buffer` as far as functions use it (lambda-edge.md 11, rank 2): bytes from and to text. Absent: the read and write
// families, and pools.
(function (host) {
  'use strict';

  class Buffer extends Uint8Array {
    // Old code calls the constructor with text; Node still allows it.
    constructor(value, ...rest) {
      if (typeof value === 'string') super(host.encode(value, String(rest[0] ?? 'utf8')));
      else super(value, ...rest);
    }
    static from(value, encodingOrOffset, length) {
      if (typeof value === 'string') return new Buffer(value, encodingOrOffset);
      if (value instanceof ArrayBuffer) return new Buffer(value, encodingOrOffset, length);
      if (value !== null && typeof value === 'object') {
        if (value.type === 'Buffer' && Array.isArray(value.data)) return new Buffer(value.data);
        return new Buffer(Array.from(value));
      }
      throw new TypeError(
        'The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object.',
      );
    }
    static alloc(size, fill, encoding) {
      const buffer = new Buffer(size);
      return fill === undefined ? buffer : buffer.fill(fill, encoding);
    }
    static allocUnsafe(size) {
      return new Buffer(size);
    }
    static isBuffer(value) {
      return value instanceof Buffer;
    }
    static isEncoding(name) {
      return typeof name === 'string' && host.isEncoding(name);
    }
    static byteLength(value, encoding) {
      return typeof value === 'string' ? host.encode(value, String(encoding ?? 'utf8')).byteLength : value.byteLength;
    }
    static concat(list, total = list.reduce((sum, part) => sum + part.length, 0)) {
      const joined = new Buffer(total);
      let offset = 0;
      for (const part of list) {
        const room = part.subarray(0, Math.max(0, total - offset));
        joined.set(room, offset);
        offset += room.length;
      }
      return joined;
    }
    static compare(left, right) {
      const shared = Math.min(left.length, right.length);
      for (let index = 0; index < shared; index += 1) {
        if (left[index] !== right[index]) return left[index] < right[index] ? -1 : 1;
      }
      return Math.sign(left.length - right.length);
    }
    toString(encoding = 'utf8', start = 0, end = this.length) {
      return host.decode(this.subarray(start, end), String(encoding));
    }
    toJSON() {
      return { type: 'Buffer', data: Array.from(this) };
    }
    equals(other) {
      return Buffer.compare(this, other) === 0;
    }
    slice(start, end) {
      return this.subarray(start, end);
    }
    fill(value, ...rest) {
      if (typeof value !== 'string') return super.fill(value, ...rest);
      const bytes = new Buffer(value, typeof rest[0] === 'string' ? rest[0] : 'utf8');
      for (let index = 0; index < this.length; index += 1) this[index] = bytes.length === 0 ? 0 : bytes[index % bytes.length];
      return this;
    }
    write(text, offset = 0) {
      const bytes = new Buffer(text).subarray(0, this.length - offset);
      this.set(bytes, offset);
      return bytes.length;
    }
  }

  host.Buffer = Buffer;
  globalThis.Buffer = Buffer;

  globalThis.btoa = (value) => {
    const text = String(value);
    if (/[^\0-\xff]/.test(text)) throw new Error('Invalid character');
    return new Buffer(text, 'latin1').toString('base64');
  };
  globalThis.atob = (value) => {
    const text = String(value).replace(/[\t\n\f\r ]/g, '');
    const bare = text.length % 4 === 0 ? text.replace(/={1,2}$/, '') : text;
    if (/[^A-Za-z0-9+/]/.test(bare) || bare.length % 4 === 1) {
      throw new Error('The string to be decoded is not correctly encoded.');
    }
    return new Buffer(bare, 'base64').toString('latin1');
  };
});
