function handler() { throw { get name() { throw { get name() { for (;;); } }; }, get message() { throw this; } }; }
