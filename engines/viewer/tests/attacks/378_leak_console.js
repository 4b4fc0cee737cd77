console.log = () => {};
console.extra = 1;
globalThis.console = { log() { throw 1; } };
