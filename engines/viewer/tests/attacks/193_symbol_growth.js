const symbols = [];
for (let i = 0; ; i++) symbols.push(Symbol('s' + i), Symbol.for('registered' + i));
