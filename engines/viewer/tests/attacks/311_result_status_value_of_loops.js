function handler() { return { statusCode: { valueOf() { for (;;); }, [Symbol.toPrimitive]() { for (;;); } } }; }
