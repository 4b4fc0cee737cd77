for (const name of ['map', 'push', 'forEach', 'join', 'concat', 'values']) Array.prototype[name] = function () { return ['patched']; };
Array.prototype[3] = 'hole';
