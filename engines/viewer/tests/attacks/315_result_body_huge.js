function handler() { return { statusCode: 200, body: 'x'.repeat(2 ** 28) }; }
