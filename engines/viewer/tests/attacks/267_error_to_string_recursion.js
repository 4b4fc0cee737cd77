const failing = { get name() { return Error.prototype.toString.call(failing); } };
Error.prototype.toString.call(failing);
