function handler() {
  const lying = new Proxy([], { get: (t, name) => (name === 'length' ? 2 ** 53 - 1 : { value: 'v' }) });
  return { uri: '/', headers: { a: { value: 'v', multiValue: lying } } };
}
