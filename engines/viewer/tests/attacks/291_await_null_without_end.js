async function handler(event) {
  while (true) await null;
}
