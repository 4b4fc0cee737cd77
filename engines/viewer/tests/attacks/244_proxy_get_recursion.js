const mirror = new Proxy({}, { get: (_, name, receiver) => receiver[name] });
mirror.x;
