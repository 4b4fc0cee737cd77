const map = new Map([[0, 0]]);
let key = 0;
map.forEach(() => { map.delete(key); map.set(++key, 0); });
