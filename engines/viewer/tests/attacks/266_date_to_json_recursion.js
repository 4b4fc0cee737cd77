const when = { valueOf: () => 1, toISOString() { return Date.prototype.toJSON.call(this); } };
Date.prototype.toJSON.call(when);
