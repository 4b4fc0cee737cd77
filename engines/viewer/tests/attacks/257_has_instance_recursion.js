const Kind = { [Symbol.hasInstance]: (x) => x instanceof Kind };
({}) instanceof Kind;
