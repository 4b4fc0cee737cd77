function handler() {
  const headers = {};
  for (let i = 0; i < 1e5; i++) headers[Symbol(i)] = { value: 'v' };
  return { uri: '/', headers };
}
