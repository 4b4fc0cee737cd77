Error.stackTraceLimit = 0;
Error.prepareStackTrace = () => 'patched';
for (const C of [Error, TypeError, RangeError, AggregateError]) { C.prototype.name = C.prototype.message = 'patched'; C.prototype.toString = () => 'patched'; }
Object.defineProperty(TypeError, Symbol.hasInstance, { value: () => false });
return event.request;
