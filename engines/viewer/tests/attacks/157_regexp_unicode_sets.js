/^([\p{L}--[a-c]]+)+$/v.test('\u00e9'.repeat(60) + '!');
