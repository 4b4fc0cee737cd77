function handler(event) {
  for (let i = 0; i < 1e6; i++) event.request.headers['x-' + i] = { value: 'v' };
  return event.request;
}
