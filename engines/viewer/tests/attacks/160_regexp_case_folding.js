/^((?:k|\u212a|K)+)+$/iu.test('\u212a'.repeat(60) + '!');
