async function handler(event) {
  Promise.resolve().then(() => Promise.resolve()).then(() => { for (;;); });
  return event.request;
}
