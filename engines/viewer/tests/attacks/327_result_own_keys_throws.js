function handler() { return { uri: '/', headers: new Proxy({}, { ownKeys() { throw new Proxy({}, { get() { for (;;); } }); } }) }; }
