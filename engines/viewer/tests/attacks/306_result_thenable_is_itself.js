async function handler() {
  const self = { then(resolve) { resolve(self); } };
  return self;
}
