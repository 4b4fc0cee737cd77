function handler() { return { uri: '/', headers: new Proxy({}, { ownKeys() { for (;;); } }) }; }
