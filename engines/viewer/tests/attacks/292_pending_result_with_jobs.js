// The result stays pending while jobs keep coming.
function handler() {
  const spin = () => Promise.resolve().then(spin);
  spin();
  return new Promise(() => {});
}
