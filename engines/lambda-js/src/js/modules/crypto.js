// `crypto`: digests, HMAC, random values, signatures, keys and `webcrypto` (lambda-edge.md 11, rank 4). Keys are held as
// DER (SPKI or PKCS #8) and understood by the host alone. Absent: ciphers, key agreement, certificates beyond their key.
(function (host, require) {
  'use strict';

  const { Buffer } = host;
  const hidden = Symbol('key');

  function coded(kind, code, message) {
    return Object.assign(new kind(message), { code });
  }

  function bytes(value, encoding = 'utf8', name = 'data') {
    if (typeof value === 'string') return Buffer.from(value, encoding === 'buffer' ? 'utf8' : encoding);
    if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    if (value instanceof ArrayBuffer) return Buffer.from(value);
    if (value instanceof KeyObject && value.type === 'secret') return value[hidden].der;
    throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" argument must be of type string or an instance of Buffer, TypedArray, DataView, or KeyObject`);
  }

  function encoded(value, encoding) {
    const buffer = Buffer.from(value);
    return encoding === undefined || encoding === 'buffer' ? buffer : buffer.toString(encoding);
  }

  // sha256 of `SHA256`, `sha-256`, `RSA-SHA256`.
  function digestName(name) {
    return String(typeof name === 'object' && name !== null ? name.name : name)
      .toLowerCase()
      .replace(/^rsa-/, '')
      .replace(/^sha-(?=\d)/, 'sha');
  }

  function supported(name) {
    const plain = digestName(name);
    if (!host.digests.includes(plain)) throw coded(Error, 'ERR_OSSL_EVP_UNSUPPORTED', 'Digest method not supported');
    return plain;
  }

  // What `createHash`, `createHmac`, `createSign` and `createVerify` give: data in parts, one result.
  function gathering(finish) {
    const { Transform } = require('stream');
    const chunks = [];
    let done = false;
    const object = new Transform({
      transform(chunk, encoding, callback) {
        chunks.push(Buffer.from(chunk));
        callback();
      },
    });
    object.update = (data, encoding) => {
      if (done) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
      chunks.push(Buffer.from(bytes(data, encoding)));
      return object;
    };
    const all = () => {
      if (done) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
      done = true;
      return Buffer.concat(chunks);
    };
    finish(object, all, chunks);
    return object;
  }

  function createHash(algorithm) {
    const name = supported(algorithm);
    const make = (start) =>
      gathering((hash, all, chunks) => {
        chunks.push(...start);
        hash.digest = (encoding) => encoded(host.digest(name, all()), encoding);
        hash.copy = () => make(chunks);
        hash._flush = (callback) => callback(null, hash.digest());
      });
    return make([]);
  }

  function createHmac(algorithm, key) {
    const name = supported(algorithm);
    const secret = Buffer.from(bytes(key, 'utf8', 'key'));
    return gathering((hmac, all) => {
      hmac.digest = (encoding) => encoded(host.hmac(name, secret, all()), encoding);
      hmac._flush = (callback) => callback(null, hmac.digest());
    });
  }

  class KeyObject {
    constructor(type, kind, curve, der) {
      Object.defineProperty(this, hidden, { value: { kind, curve, der: Buffer.from(der) } });
      Object.defineProperty(this, 'type', { value: type, enumerable: true });
    }
    static from(key) {
      return key[hidden].object;
    }
    get asymmetricKeyType() {
      return this.type === 'secret' ? undefined : this[hidden].kind;
    }
    get asymmetricKeyDetails() {
      const { kind, curve, der } = this[hidden];
      if (this.type === 'secret') return undefined;
      if (kind === 'ec') return { namedCurve: { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' }[curve] };
      return kind === 'rsa' ? { modulusLength: host.modulusLength(this.type, der), publicExponent: 65537n } : {};
    }
    get symmetricKeySize() {
      return this.type === 'secret' ? this[hidden].der.length : undefined;
    }
    equals(other) {
      return this.type === other.type && this[hidden].der.equals(other[hidden].der);
    }
    export(options = {}) {
      const { kind, curve, der } = this[hidden];
      if (this.type === 'secret') {
        return options.format === 'jwk' ? { kty: 'oct', k: der.toString('base64url') } : Buffer.from(der);
      }
      if (options.format === 'jwk') return JSON.parse(host.keyToJwk(this.type, kind, curve, der));
      const standard = this.type === 'public' ? 'spki' : 'pkcs8';
      const form = options.type ?? standard;
      const content = form === standard ? der : Buffer.from(host.keyToForm(this.type, kind, form, der));
      if (options.format === 'der') return Buffer.from(content);
      const label = { spki: 'PUBLIC KEY', pkcs8: 'PRIVATE KEY', pkcs1: `RSA ${this.type.toUpperCase()} KEY`, sec1: 'EC PRIVATE KEY' }[form];
      return `-----BEGIN ${label}-----\n${content.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;
    }
    get [Symbol.toStringTag]() {
      return 'KeyObject';
    }
  }

  function fromHost([type, kind, curve, der]) {
    return new KeyObject(type, kind, curve, der);
  }

  function refused(message) {
    return coded(Error, 'ERR_OSSL_UNSUPPORTED', message);
  }

  // The asymmetric key that `value` means: a KeyObject, PEM, DER or JWK, alone or in `{ key }`.
  function asymmetric(value) {
    if (value instanceof KeyObject) return value;
    if (value !== null && typeof value === 'object' && value[hidden]?.object) return value[hidden].object;
    const plain = typeof value === 'string' || ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
    const { key, format, passphrase } = plain ? { key: value } : (value ?? {});
    if (key instanceof KeyObject) return key;
    if (passphrase !== undefined) throw refused('encrypted keys are not available in the boa engine');
    if (format === 'jwk' || (key !== null && typeof key === 'object' && typeof key.kty === 'string')) {
      return fromHost(host.keyFromJwk(JSON.stringify(key)));
    }
    return fromHost(host.parseKey(bytes(key, 'utf8', 'key')));
  }

  function createPublicKey(value) {
    const key = asymmetric(value);
    return key.type === 'public' ? key : fromHost(host.publicKey(key[hidden].kind, key[hidden].curve, key[hidden].der));
  }

  function createPrivateKey(value) {
    const key = asymmetric(value);
    if (key.type !== 'private') throw coded(TypeError, 'ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE', `Invalid key object type ${key.type}, expected private.`);
    return key;
  }

  const constants = {
    RSA_PKCS1_PADDING: 1,
    RSA_PKCS1_PSS_PADDING: 6,
    RSA_PSS_SALTLEN_DIGEST: -1,
    RSA_PSS_SALTLEN_MAX_SIGN: -2,
    RSA_PSS_SALTLEN_AUTO: -2,
  };

  function scheme(key, options) {
    const { kind } = key[hidden];
    if (kind === 'ed25519') return 'eddsa';
    if (kind === 'ec') return options?.dsaEncoding === 'ieee-p1363' ? 'p1363' : 'der';
    return options?.padding === constants.RSA_PKCS1_PSS_PADDING ? 'pss' : 'pkcs1';
  }

  function signature(algorithm, data, value) {
    const key = createPrivateKey(value);
    const { curve, der } = key[hidden];
    return Buffer.from(host.sign(scheme(key, value), algorithm == null ? 'sha512' : supported(algorithm), curve, der, data));
  }

  function isSigned(algorithm, data, value, given) {
    const key = createPublicKey(value);
    const { curve, der } = key[hidden];
    return host.verify(scheme(key, value), algorithm == null ? 'sha512' : supported(algorithm), curve, der, data, given);
  }

  function createSign(algorithm) {
    supported(algorithm);
    return gathering((sign, all) => {
      sign.sign = (key, encoding) => encoded(signature(algorithm, all(), key), encoding);
    });
  }

  function createVerify(algorithm) {
    supported(algorithm);
    return gathering((verify, all) => {
      verify.verify = (key, given, encoding) => isSigned(algorithm, all(), key, bytes(given, encoding, 'signature'));
    });
  }

  // With a callback as the last of `values` the result goes there, else it is returned.
  function answered(callback, compute) {
    if (callback === undefined) return compute();
    let result;
    try {
      result = compute();
    } catch (error) {
      process.nextTick(callback, error);
      return undefined;
    }
    process.nextTick(callback, null, result);
    return undefined;
  }

  function randomInt(min, max, callback) {
    if (max === undefined || typeof max === 'function') return randomInt(0, min, max);
    const range = max - min;
    if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || range <= 0 || range > 2 ** 48 - 1) {
      throw coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "max" is out of range. It must be greater than the value of "min" (${min}). Received ${max}`);
    }
    return answered(callback, () => {
      const fair = 2 ** 48 - (2 ** 48 % range);
      for (;;) {
        const drawn = Buffer.from(host.random(6)).readUIntBE(0, 6);
        if (drawn < fair) return min + (drawn % range);
      }
    });
  }

  function randomFill(buffer, offset = 0, size = buffer.byteLength - offset) {
    new Uint8Array(buffer.buffer ?? buffer, (buffer.byteOffset ?? 0) + offset, size).set(new Uint8Array(host.random(size)));
    return buffer;
  }

  function uuid() {
    const drawn = Buffer.from(host.random(16));
    drawn[6] = (drawn[6] & 0x0f) | 0x40;
    drawn[8] = (drawn[8] & 0x3f) | 0x80;
    return drawn.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  function timingSafeEqual(left, right) {
    const [a, b] = [bytes(left, 'utf8', 'buf1'), bytes(right, 'utf8', 'buf2')];
    if (a.length !== b.length) throw coded(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length');
    return host.sameBytes(a, b);
  }

  const crypto = {
    constants,
    createHash,
    createHmac,
    createSign,
    createVerify,
    createPublicKey,
    createPrivateKey,
    createSecretKey: (key, encoding) => new KeyObject('secret', 'oct', '', Buffer.from(bytes(key, encoding, 'key'))),
    KeyObject,
    sign: (algorithm, data, key, callback) => answered(callback, () => signature(algorithm, bytes(data), key)),
    verify: (algorithm, data, key, given, callback) => answered(callback, () => isSigned(algorithm, bytes(data), key, bytes(given, 'utf8', 'signature'))),
    hash: (algorithm, data, encoding = 'hex') => encoded(host.digest(supported(algorithm), bytes(data)), encoding),
    randomBytes: (size, callback) => answered(callback, () => Buffer.from(host.random(size))),
    randomInt,
    randomUUID: uuid,
    randomFillSync: randomFill,
    randomFill: (buffer, ...rest) => {
      const callback = rest.pop();
      return answered(callback, () => randomFill(buffer, ...rest));
    },
    timingSafeEqual,
    getHashes: () => [...host.digests],
    getCurves: () => ['prime256v1', 'secp384r1', 'secp521r1'],
  };
  // There by name, since packages import them for branches that most functions never take.
  const absent = ['createCipheriv', 'createDecipheriv', 'createDiffieHellman', 'createECDH', 'diffieHellman', 'generateKey', 'generateKeySync',
    'generateKeyPair', 'generateKeyPairSync', 'hkdf', 'hkdfSync', 'pbkdf2', 'pbkdf2Sync', 'privateDecrypt', 'privateEncrypt', 'publicDecrypt',
    'publicEncrypt', 'scrypt', 'scryptSync', 'X509Certificate', 'ECDH'];
  for (const name of absent) {
    crypto[name] = function () {
      throw coded(Error, 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', `crypto.${name} is not available in the boa engine; run the function with engine = "node"`);
    };
  }
  crypto.getCiphers = () => [];
  crypto.pseudoRandomBytes = crypto.rng = crypto.randomBytes;

  // Web Crypto: what verifies and makes tokens.

  class CryptoKey {
    constructor(object, algorithm, extractable, usages) {
      Object.defineProperty(this, hidden, { value: { object } });
      Object.assign(this, { type: object.type, extractable, algorithm, usages });
    }
    get [Symbol.toStringTag]() {
      return 'CryptoKey';
    }
  }

  function domError(name, message) {
    const error = new Error(message);
    error.name = name;
    return error;
  }

  const normalized = (algorithm) => (typeof algorithm === 'string' ? { name: algorithm } : algorithm);
  const SCHEMES = { 'rsassa-pkcs1-v1_5': 'pkcs1', 'rsa-pss': 'pss', ecdsa: 'p1363', ed25519: 'eddsa', eddsa: 'eddsa' };

  function hashOf(key, algorithm) {
    const hash = algorithm.hash ?? key.algorithm.hash;
    return hash === undefined ? 'sha512' : supported(normalized(hash).name);
  }

  function operation(algorithm, key) {
    const name = normalized(algorithm).name.toLowerCase();
    if (name !== key.algorithm.name.toLowerCase()) throw domError('InvalidAccessError', 'The requested operation is not valid for the provided key');
    return name;
  }

  function imported(format, data, name) {
    if (format === 'raw' && name === 'hmac') return crypto.createSecretKey(data);
    if (format === 'raw') return fromHost(host.keyFromRaw(name, bytes(data)));
    if (format === 'jwk' && data.kty === 'oct') return crypto.createSecretKey(Buffer.from(data.k, 'base64url'));
    if (format === 'jwk') return asymmetric({ key: data, format: 'jwk' });
    if (format === 'spki' || format === 'pkcs8') return asymmetric({ key: bytes(data), format: 'der' });
    throw domError('NotSupportedError', `Unable to import a key in the format ${format}`);
  }

  const subtle = {
    async digest(algorithm, data) {
      return host.digest(supported(normalized(algorithm).name), bytes(data));
    },
    async importKey(format, data, algorithm, extractable, usages) {
      const details = { ...normalized(algorithm) };
      if (details.hash !== undefined) details.hash = { ...normalized(details.hash) };
      const name = details.name.toLowerCase();
      if (name !== 'hmac' && SCHEMES[name] === undefined) throw domError('NotSupportedError', `Unrecognized algorithm name ${details.name}`);
      let object;
      try {
        object = imported(format, data, name);
      } catch (error) {
        throw error.name === 'NotSupportedError' ? error : domError('DataError', `Invalid keyData: ${error.message}`);
      }
      if (name === 'hmac') details.length ??= object.symmetricKeySize * 8;
      return new CryptoKey(object, details, Boolean(extractable), [...usages]);
    },
    async exportKey(format, key) {
      if (!key.extractable) throw domError('InvalidAccessError', 'key is not extractable');
      const { object } = key[hidden];
      if (format === 'jwk') return { ...object.export({ format: 'jwk' }), key_ops: key.usages, ext: true };
      const exported = object.type === 'secret' ? object.export() : object.export({ format: 'der', type: format });
      return Uint8Array.from(exported).buffer;
    },
    async sign(algorithm, key, data) {
      if (!key.usages.includes('sign')) throw domError('InvalidAccessError', 'Unable to use this key to sign');
      const name = operation(algorithm, key);
      const { object } = key[hidden];
      const hash = hashOf(key, normalized(algorithm));
      if (name === 'hmac') return host.hmac(hash, object[hidden].der, bytes(data));
      return host.sign(SCHEMES[name], hash, object[hidden].curve, object[hidden].der, bytes(data));
    },
    async verify(algorithm, key, given, data) {
      if (!key.usages.includes('verify')) throw domError('InvalidAccessError', 'Unable to use this key to verify');
      const name = operation(algorithm, key);
      const { object } = key[hidden];
      const hash = hashOf(key, normalized(algorithm));
      const sent = bytes(given);
      if (name === 'hmac') {
        const wanted = Buffer.from(host.hmac(hash, object[hidden].der, bytes(data)));
        return wanted.length === sent.length && host.sameBytes(wanted, sent);
      }
      return host.verify(SCHEMES[name], hash, object[hidden].curve, object[hidden].der, bytes(data), sent);
    },
  };
  for (const name of ['encrypt', 'decrypt', 'deriveBits', 'deriveKey', 'generateKey', 'wrapKey', 'unwrapKey']) {
    subtle[name] = async () => {
      throw domError('NotSupportedError', `crypto.subtle.${name} is not available in the boa engine`);
    };
  }

  crypto.webcrypto = {
    subtle,
    randomUUID: uuid,
    getRandomValues(array) {
      if (array.byteLength > 65536) throw domError('QuotaExceededError', `The requested length exceeds 65,536 bytes`);
      return randomFill(array);
    },
    CryptoKey,
  };
  crypto.subtle = subtle;
  crypto.getRandomValues = crypto.webcrypto.getRandomValues;
  return crypto;
});
