const store = [];
function handler(event) {
  store.push(event);
  handler.calls = (handler.calls || 0) + 1;
  for (let i = 0; i < 1e4; i++) store.push('secret' + i);
  return event.request;
}
