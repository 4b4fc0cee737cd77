const global = /(?:)/g;
while (global.exec('x')) global.lastIndex = 0;
