const cycle = new Proxy({}, {});
Object.setPrototypeOf(cycle, Object.create(cycle));
cycle.zzz = 1;
