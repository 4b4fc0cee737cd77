// `Buffer` (lambda-edge.md 11, rank 2): bytes from and to text, numbers in and out of bytes. Absent: pools.
(function (host) {
  'use strict';

  function ranged(message) {
    return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
  }

  function wrongType(message) {
    return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
  }

  class Bytes extends Uint8Array {
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
        if (value.buffer instanceof ArrayBuffer || value.length !== undefined) return new Buffer(value instanceof Uint8Array ? value : Array.from(value));
        const primitive = value.valueOf();
        if (primitive !== value && primitive !== null && primitive !== undefined) return Buffer.from(primitive, encodingOrOffset, length);
        if (typeof value[Symbol.iterator] === 'function') return new Buffer(Array.from(value));
      }
      throw wrongType(
        'The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object.',
      );
    }
    static of(...values) {
      return new Buffer(values);
    }
    static alloc(size, fill, encoding) {
      if (typeof size !== 'number') throw wrongType(`The "size" argument must be of type number. Received ${typeof size}`);
      const buffer = new Buffer(size);
      return fill === undefined || fill === 0 ? buffer : buffer.fill(fill, encoding);
    }
    static allocUnsafe(size) {
      return Buffer.alloc(size);
    }
    static allocUnsafeSlow(size) {
      return Buffer.alloc(size);
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
    get parent() {
      return this.buffer;
    }
    get offset() {
      return this.byteOffset;
    }
    toString(encoding = 'utf8', start = 0, end = this.length) {
      return host.decode(this.subarray(Math.max(0, start), Math.max(0, end)), String(encoding ?? 'utf8'));
    }
    toLocaleString(...values) {
      return this.toString(...values);
    }
    toJSON() {
      return { type: 'Buffer', data: Array.from(this) };
    }
    equals(other) {
      if (!(other instanceof Uint8Array)) throw wrongType('The "otherBuffer" argument must be an instance of Buffer or Uint8Array.');
      return Buffer.compare(this, other) === 0;
    }
    compare(other, start = 0, end = other.length, ownStart = 0, ownEnd = this.length) {
      return Buffer.compare(this.subarray(ownStart, ownEnd), other.subarray(start, end));
    }
    slice(start, end) {
      return this.subarray(start, end);
    }
    copy(target, at = 0, start = 0, end = this.length) {
      const part = this.subarray(start, Math.min(end, start + Math.max(0, target.length - at)));
      target.set(part, at);
      return part.length;
    }
    fill(value, ...rest) {
      if (typeof value !== 'string') return super.fill(value, ...rest);
      const encoding = rest.find((given) => typeof given === 'string') ?? 'utf8';
      const [start = 0, end = this.length] = rest.filter((given) => typeof given === 'number');
      const bytes = new Buffer(value, encoding);
      for (let index = start; index < end; index += 1) this[index] = bytes.length === 0 ? 0 : bytes[(index - start) % bytes.length];
      return this;
    }
    // write(text, [offset, [length]], [encoding])
    write(text, ...rest) {
      const encoding = typeof rest.at(-1) === 'string' ? rest.pop() : 'utf8';
      const [offset = 0, length = this.length - offset] = rest;
      if (offset < 0 || offset > this.length) throw ranged(`The value of "offset" is out of range. Received ${offset}`);
      const room = Math.min(length, this.length - offset);
      let bytes = new Buffer(text, encoding);
      // No character is written in part.
      if (bytes.length > room) {
        bytes = bytes.subarray(0, room);
        if (/^utf-?8$/i.test(encoding)) bytes = bytes.subarray(0, room - host.unfinishedUtf8(bytes));
      }
      this.set(bytes, offset);
      return bytes.length;
    }
    indexOf(value, offset, encoding) {
      return search(this, value, offset, encoding, false);
    }
    lastIndexOf(value, offset, encoding) {
      return search(this, value, offset, encoding, true);
    }
    includes(value, offset, encoding) {
      return this.indexOf(value, offset, encoding) >= 0;
    }
    swap16() {
      return swap(this, 2);
    }
    swap32() {
      return swap(this, 4);
    }
    swap64() {
      return swap(this, 8);
    }
    readUIntBE(offset, length) {
      return this.subarray(bounded(this, offset, length), offset + length).reduce((value, byte) => value * 256 + byte, 0);
    }
    readUIntLE(offset, length) {
      return this.subarray(bounded(this, offset, length), offset + length).reduceRight((value, byte) => value * 256 + byte, 0);
    }
    readIntBE(offset, length) {
      return signed(this.readUIntBE(offset, length), length);
    }
    readIntLE(offset, length) {
      return signed(this.readUIntLE(offset, length), length);
    }
    writeUIntBE(value, offset, length) {
      bounded(this, offset, length);
      let rest = fitting(value, 0, 256 ** length - 1);
      for (let index = length - 1; index >= 0; index -= 1) {
        this[offset + index] = rest % 256;
        rest = Math.floor(rest / 256);
      }
      return offset + length;
    }
    writeUIntLE(value, offset, length) {
      this.writeUIntBE(value, offset, length);
      this.subarray(offset, offset + length).reverse();
      return offset + length;
    }
    writeIntBE(value, offset, length) {
      const half = 256 ** length / 2;
      return this.writeUIntBE(fitting(value, -half, half - 1) < 0 ? value + 2 * half : value, offset, length);
    }
    writeIntLE(value, offset, length) {
      this.writeIntBE(value, offset, length);
      this.subarray(offset, offset + length).reverse();
      return offset + length;
    }
  }

  // Older code still calls it without `new`.
  function Buffer(...values) {
    return Reflect.construct(Bytes, values, new.target ?? Buffer);
  }
  Object.setPrototypeOf(Buffer, Bytes);
  // Own and enumerable as in Node: packages copy them in loops.
  for (const name of Object.getOwnPropertyNames(Bytes)) if (typeof Bytes[name] === 'function') Buffer[name] = Bytes[name];
  Buffer.prototype = Bytes.prototype;
  Object.defineProperty(Buffer.prototype, 'constructor', { value: Buffer, configurable: true, writable: true });

  function bounded(buffer, offset, length) {
    if (!Number.isInteger(offset) || offset < 0 || offset + length > buffer.length) {
      throw ranged(`The value of "offset" is out of range. It must be >= 0 and <= ${buffer.length - length}. Received ${offset}`);
    }
    return offset;
  }

  function fitting(value, least, most) {
    if (value > most || value < least) throw ranged(`The value of "value" is out of range. It must be >= ${least} and <= ${most}. Received ${value}`);
    return value;
  }

  function signed(value, length) {
    const half = 256 ** length / 2;
    return value >= half ? value - 2 * half : value;
  }

  function swap(buffer, width) {
    if (buffer.length % width !== 0) throw Object.assign(new RangeError(`Buffer size must be a multiple of ${width * 8}-bits`), { code: 'ERR_INVALID_BUFFER_SIZE' });
    for (let index = 0; index < buffer.length; index += width) buffer.subarray(index, index + width).reverse();
    return buffer;
  }

  function search(buffer, value, offset, encoding, last) {
    const [from, kind] = typeof offset === 'string' ? [undefined, offset] : [offset, encoding];
    if (typeof value === 'number') {
      return last ? Uint8Array.prototype.lastIndexOf.call(buffer, value & 255, from ?? buffer.length) : Uint8Array.prototype.indexOf.call(buffer, value & 255, from ?? 0);
    }
    const wanted = typeof value === 'string' ? new Buffer(value, kind) : value;
    const most = buffer.length - wanted.length;
    let start = Number.isNaN(Number(from)) ? undefined : Math.trunc(Number(from));
    if (start !== undefined && start < 0) start += buffer.length;
    const matches = (at) => wanted.every((byte, index) => buffer[at + index] === byte);
    if (last) {
      for (let at = Math.min(start ?? most, most); at >= 0; at -= 1) if (matches(at)) return at;
    } else for (let at = Math.max(0, start ?? 0); at <= most; at += 1) if (matches(at)) return at;
    return -1;
  }

  // The fixed-width numbers, over the views of the engine: name, bytes, method of DataView, and what fits.
  const NUMBERS = [
    ['UInt8', 1, 'Uint8', 0, 2 ** 8 - 1],
    ['UInt16', 2, 'Uint16', 0, 2 ** 16 - 1],
    ['UInt32', 4, 'Uint32', 0, 2 ** 32 - 1],
    ['Int8', 1, 'Int8', -(2 ** 7), 2 ** 7 - 1],
    ['Int16', 2, 'Int16', -(2 ** 15), 2 ** 15 - 1],
    ['Int32', 4, 'Int32', -(2 ** 31), 2 ** 31 - 1],
    ['Float', 4, 'Float32', -Infinity, Infinity],
    ['Double', 8, 'Float64', -Infinity, Infinity],
    ['BigInt64', 8, 'BigInt64', -(2n ** 63n), 2n ** 63n - 1n],
    ['BigUInt64', 8, 'BigUint64', 0n, 2n ** 64n - 1n],
  ];
  function define(names, value) {
    for (const name of names) Object.defineProperty(Buffer.prototype, name, { value, configurable: true, writable: true });
  }
  // `readUint8` beside `readUInt8`.
  const spelt = (name) => (name.includes('UInt') ? [name, name.replace('UInt', 'Uint')] : [name]);
  for (const [name, width, method, least, most] of NUMBERS) {
    for (const order of width === 1 ? [''] : ['BE', 'LE']) {
      const little = order === 'LE';
      const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
      define(spelt(`read${name}${order}`), function (offset = 0) {
        return view(this)[`get${method}`](bounded(this, offset, width), little);
      });
      define(spelt(`write${name}${order}`), function (value, offset = 0) {
        bounded(this, offset, width);
        view(this)[`set${method}`](offset, fitting(value, least, most), little);
        return offset + width;
      });
    }
  }
  for (const name of ['readUInt', 'writeUInt']) for (const order of ['BE', 'LE']) define([`${name.replace('UInt', 'Uint')}${order}`], Buffer.prototype[name + order]);
  Buffer.poolSize = 8192;

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
