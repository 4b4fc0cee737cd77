RegExp.prototype.exec = () => null;
RegExp.prototype.test = () => true;
Object.defineProperty(RegExp.prototype, 'flags', { get: () => 'g' });
RegExp.prototype[Symbol.replace] = () => 'patched';
