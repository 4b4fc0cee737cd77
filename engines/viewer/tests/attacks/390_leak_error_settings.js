Error.stackTraceLimit = Infinity;
Error.prepareStackTrace = () => { for (;;); };
Error.prototype.toString = () => 'patched';
TypeError.prototype.name = 'patched';
