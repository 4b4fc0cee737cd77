// `zlib`: whole buffers at once, and as streams that work when their input has ended (lambda-edge.md 11, rank 10).
(function (host, require) {
  'use strict';

  const { Buffer } = host;
  const LIMIT = 128 * 1024 * 1024; // bytes that unpacking may give at most

  const constants = {
    Z_NO_COMPRESSION: 0,
    Z_BEST_SPEED: 1,
    Z_BEST_COMPRESSION: 9,
    Z_DEFAULT_COMPRESSION: -1,
    BROTLI_PARAM_MODE: 0,
    BROTLI_PARAM_QUALITY: 1,
    BROTLI_PARAM_LGWIN: 2,
    BROTLI_MIN_QUALITY: 0,
    BROTLI_MAX_QUALITY: 11,
    BROTLI_DEFAULT_QUALITY: 11,
  };

  function view(value) {
    if (typeof value === 'string') return Buffer.from(value);
    if (value instanceof ArrayBuffer) return Buffer.from(value);
    if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const error = new TypeError('The "buffer" argument must be of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer');
    error.code = 'ERR_INVALID_ARG_TYPE';
    throw error;
  }

  // Each form: its name in the host, whether it packs, and the names of its functions.
  const forms = [
    ['gzip', true, 'gzip', 'Gzip'],
    ['gzip', false, 'gunzip', 'Gunzip'],
    ['deflate', true, 'deflate', 'Deflate'],
    ['deflate', false, 'inflate', 'Inflate'],
    ['raw', true, 'deflateRaw', 'DeflateRaw'],
    ['raw', false, 'inflateRaw', 'InflateRaw'],
    ['any', false, 'unzip', 'Unzip'],
    ['brotli', true, 'brotliCompress', 'BrotliCompress'],
    ['brotli', false, 'brotliDecompress', 'BrotliDecompress'],
  ];

  function run(form, packs, value, options = {}) {
    const input = view(value);
    if (packs) {
      const level = form === 'brotli' ? (options.params?.[constants.BROTLI_PARAM_QUALITY] ?? 11) : (options.level ?? -1);
      return Buffer.from(host.pack(form, level, input));
    }
    return Buffer.from(host.unpack(form, Math.min(options.maxOutputLength ?? LIMIT, LIMIT), input));
  }

  const zlib = { constants, ...constants };
  for (const [form, packs, name, constructor] of forms) {
    zlib[`${name}Sync`] = (value, options) => run(form, packs, value, options);
    zlib[name] = (value, options, callback) => {
      const [settings, then] = typeof options === 'function' ? [{}, options] : [options, callback];
      const input = view(value);
      process.nextTick(() => {
        let result;
        try {
          result = run(form, packs, input, settings);
        } catch (error) {
          then(error);
          return;
        }
        then(null, result);
      });
    };
    zlib[`create${constructor}`] = (options = {}) => {
      const { Transform } = require('stream');
      const chunks = [];
      return new Transform({
        transform(chunk, encoding, done) {
          chunks.push(chunk);
          done();
        },
        flush(done) {
          let result;
          try {
            result = run(form, packs, Buffer.concat(chunks), options);
          } catch (error) {
            done(error);
            return;
          }
          done(null, result);
        },
      });
    };
  }
  return zlib;
});
