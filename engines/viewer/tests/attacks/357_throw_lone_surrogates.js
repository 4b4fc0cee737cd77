function handler() { throw new Error('\ud800\r\n\0\u001b[31m\u2028'.repeat(300)); }
