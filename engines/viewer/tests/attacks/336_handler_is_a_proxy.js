// In place of `function handler(event) {}`: callable, and the call is what loops.
const handler = new Proxy(() => {}, { apply() { for (;;); } });
