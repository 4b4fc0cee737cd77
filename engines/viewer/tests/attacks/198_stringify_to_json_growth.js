const multiply = (depth) => ({ toJSON: () => (depth ? Array.from({ length: 10 }, () => multiply(depth - 1)) : 'x'.repeat(1000)) });
JSON.stringify(multiply(9));
