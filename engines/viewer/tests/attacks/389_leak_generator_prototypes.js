const G = Object.getPrototypeOf(function* () {});
G.prototype.next = () => ({ done: true });
const A = Object.getPrototypeOf(async function () {});
Object.defineProperty(A, 'constructor', { value: null });
Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype).next = null;
