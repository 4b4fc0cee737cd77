function handler() {
  const f = () => {};
  f.headers = [{ value: 'v' }, , { value: 'w' }];
  f.querystring = f;
  return f;
}
