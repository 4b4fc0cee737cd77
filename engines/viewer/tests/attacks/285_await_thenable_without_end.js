async function handler() {
  const never = { then(resolve) { resolve(never); } };
  return await never;
}
