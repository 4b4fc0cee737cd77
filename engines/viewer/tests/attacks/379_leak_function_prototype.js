Function.prototype.call = () => 'patched';
Function.prototype.apply = () => 'patched';
Function.prototype.bind = () => 'patched';
Function.prototype.toString = () => 'patched';
Function.prototype.extra = 1;
