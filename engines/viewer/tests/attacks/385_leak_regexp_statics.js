/(leak)(ed)/.exec('a leaked secret');
'secret'.replace(/(s)(e)/, '$2$1');
