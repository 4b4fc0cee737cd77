// `punycode` (lambda-edge.md 11, rank 12).
(function (host) {
  'use strict';

  const perLabel = (domain, change) => String(domain).split(/[.\u3002\uff0e\uff61]/).map(change).join('.');
  const checked = (text) => {
    if (text === undefined) throw new RangeError('Invalid input');
    return text;
  };
  const punycode = {
    version: '2.3.1',
    encode: (text) => checked(host.punycode(String(text), true)),
    decode: (text) => checked(host.punycode(String(text), false)),
    toASCII: (domain) => perLabel(domain, (label) => (/[^\0-\x7f]/.test(label) ? `xn--${punycode.encode(label)}` : label)),
    toUnicode: (domain) => perLabel(domain, (label) => (/^xn--/i.test(label) ? punycode.decode(label.slice(4).toLowerCase()) : label)),
    ucs2: {
      decode: (text) => Array.from(String(text), (sign) => sign.codePointAt(0)),
      encode: (points) => String.fromCodePoint(...points),
    },
  };
  return punycode;
});
