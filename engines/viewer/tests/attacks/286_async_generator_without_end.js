async function handler() {
  async function* ticks() { for (;;) yield null; }
  for await (const _ of ticks());
}
