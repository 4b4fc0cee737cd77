const loop = new Proxy({}, {});
loop.__proto__ = loop;
loop.zzz;
