function handler() {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return { uri: '/', headers: { a: { value: 'v', multiValue: proxy } } };
}
