async function handler() { return { then() { for (;;); } }; }
