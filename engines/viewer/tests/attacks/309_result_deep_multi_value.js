function handler() {
  let field = { value: 'x' };
  for (let i = 0; i < 2e5; i++) field = { value: 'x', multiValue: [field] };
  return { uri: '/', headers: { a: field } };
}
