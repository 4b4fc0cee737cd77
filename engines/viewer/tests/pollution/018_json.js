JSON.parse = () => ({ patched: true });
JSON.stringify = () => '"patched"';
JSON.extra = 1;
Object.prototype.toJSON = () => 'patched';
Object.defineProperty(BigInt.prototype, 'toJSON', { value: () => 1 });
return event.request;
