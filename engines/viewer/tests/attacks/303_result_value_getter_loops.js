function handler() { return { uri: '/', headers: { a: { get value() { for (;;); } } } }; }
