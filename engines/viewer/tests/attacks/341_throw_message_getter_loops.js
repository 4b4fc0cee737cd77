function handler() { throw { name: 'E', get message() { for (;;); } }; }
