for (const n of [2 ** 32 - 1, 2 ** 31, 9e6]) { try { Buffer.alloc(n); } catch (e) {} }
let b = []; for (;;) b.push(Buffer.alloc(65536, 'ab'));
