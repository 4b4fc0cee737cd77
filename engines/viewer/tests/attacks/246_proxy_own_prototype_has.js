const ring = new Proxy({}, {});
Object.setPrototypeOf(ring, ring);
'zzz' in ring;
