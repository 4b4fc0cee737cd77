// `string_decoder`: bytes to text in pieces, without cutting a character in two (lambda-edge.md 11, rank 12).
(function (host) {
  'use strict';

  const { Buffer } = host;

  // How many bytes at the end belong to a character whose rest has not come yet.
  function unfinished(encoding, bytes) {
    if (encoding === 'utf8' || encoding === 'utf-8') return host.unfinishedUtf8(bytes);
    if (encoding === 'base64' || encoding === 'base64url') return bytes.length % 3;
    if (/^(ucs-?2|utf-?16le)$/.test(encoding)) {
      const odd = bytes.length % 2;
      const last = bytes[bytes.length - odd - 1];
      return last >= 0xd8 && last <= 0xdb ? odd + 2 : odd;
    }
    return 0;
  }

  class StringDecoder {
    #rest = Buffer.alloc(0);

    constructor(encoding = 'utf8') {
      if (!Buffer.isEncoding(encoding)) {
        throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: 'ERR_UNKNOWN_ENCODING' });
      }
      this.encoding = String(encoding).toLowerCase();
    }
    write(chunk) {
      if (typeof chunk === 'string') return chunk;
      const bytes = Buffer.concat([this.#rest, chunk]);
      const whole = bytes.length - unfinished(this.encoding, bytes);
      this.#rest = bytes.subarray(whole);
      return bytes.toString(this.encoding, 0, whole);
    }
    end(chunk) {
      const text = (chunk === undefined ? '' : this.write(chunk)) + this.#rest.toString(this.encoding);
      this.#rest = Buffer.alloc(0);
      return text;
    }
  }
  return { StringDecoder };
});
