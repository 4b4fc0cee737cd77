const parent = { m() { return child.m(); } };
const child = { __proto__: parent, m() { return super.m(); } };
child.m();
