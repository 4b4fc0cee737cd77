const o = { valueOf() { return { valueOf: o.valueOf }; } };
Buffer.from(o);
