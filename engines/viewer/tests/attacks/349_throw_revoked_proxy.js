function handler() {
  const { proxy, revoke } = Proxy.revocable(function () {}, {});
  revoke();
  throw proxy;
}
