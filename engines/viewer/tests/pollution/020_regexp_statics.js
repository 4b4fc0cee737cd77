/(leak)(ed) (secret)/.exec('a leaked secret of ' + event.viewer);
'secret'.replace(/(s)(e)/g, '$2$1');
RegExp.$1 = RegExp.input = RegExp.lastMatch = RegExp.lastIndex = 'patched';
if (typeof state !== 'undefined') { state.pattern.exec('xyxy'); state.pattern.extra = /x/; }
return event.request;
