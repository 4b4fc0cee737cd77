const again = /a/g;
again.constructor = { [Symbol.species]: function () { return { lastIndex: 0, exec: () => ({ index: 0, length: 1, 0: '' }) }; } };
for (const m of again[Symbol.matchAll]('a'));
