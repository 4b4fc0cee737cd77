let Bound = function () {};
for (let i = 0; i < 2e5; i++) Bound = Bound.bind();
new Bound();
