for (const name of ['log', 'info', 'warn', 'error', 'debug']) { const real = console[name]; console[name] = (...words) => real('patched', ...words); }
console.count = 1;
console.log('a'.repeat(9000));
Object.freeze(console);
return event.request;
