function handler() { throw { toString() { for (;;); } }; }
