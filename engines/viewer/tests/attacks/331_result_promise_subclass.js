// A promise whose own then never settles anything.
function handler(event) {
  const p = Promise.resolve(event.request);
  p.then = function () { for (;;); };
  p.constructor = { [Symbol.species]: function () { for (;;); } };
  return p;
}
