const assigned = { get a() { return Object.assign({}, assigned); } };
Object.assign({}, assigned);
