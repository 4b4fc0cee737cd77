class Slow extends Promise { static get [Symbol.species]() { for (;;); } }
Slow.resolve(1).then(() => 1);
