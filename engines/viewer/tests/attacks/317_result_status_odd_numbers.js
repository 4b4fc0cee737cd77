function handler() { return { statusCode: 1e308, statusDescription: '\r\n\0', headers: { '\r\n': { value: '\0' } } }; }
