function handler() {
  const items = Array(1e6).fill({ value: 'v' });
  return { uri: '/', querystring: { a: { value: 'v', multiValue: items } } };
}
