function handler() { return { uri: '/', headers: new Uint8Array(1e6), querystring: new String('x'.repeat(1e6)) }; }
