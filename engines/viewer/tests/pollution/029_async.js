const plain = Object.getPrototypeOf(async function () {});
const stream = Object.getPrototypeOf(async function* () {});
plain.extra = stream.extra = 1;
stream.prototype.next = () => Promise.resolve({ done: true });
Object.defineProperty(Promise.prototype, 'constructor', { get() { return Array; } });
Object.getPrototypeOf(stream.prototype)[Symbol.asyncIterator] = null;
return event.request;
