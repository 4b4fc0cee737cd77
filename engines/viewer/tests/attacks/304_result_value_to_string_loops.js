function handler() { return { uri: '/', headers: { a: { value: { toString() { for (;;); }, valueOf() { for (;;); } } } } }; }
