function handler() { return { uri: '/', get headers() { while (true); } }; }
