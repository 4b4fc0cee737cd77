// In place of `function handler(event) {}`: an arrow function.
function* numbers() { for (;;) yield 1; }
const handler = () => [...numbers()];
