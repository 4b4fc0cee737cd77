globalThis.shapes = [];
for (let i = 0; i < 500; i++) globalThis.shapes.push({ ['only' + i]: 1, ['here' + i]: 2 });
const wide = globalThis.wide = {};
for (let i = 0; i < 1000; i++) wide['name' + i] = Symbol('name' + i);
for (let i = 0; i < 1000; i += 2) delete wide['name' + i];
Object.setPrototypeOf(globalThis.shapes, wide);
return event.request;
