for (;;) Promise.reject(new Error('x'.repeat(100)));
