function handler() {
  return { statusCode: 200, get body() { return { get encoding() { return 'text'; }, get data() { for (;;); } }; } };
}
