Math.random = () => 0.5;
Date.now = () => 0;
Date.prototype.getTime = () => 0;
globalThis.Date = function () {};
