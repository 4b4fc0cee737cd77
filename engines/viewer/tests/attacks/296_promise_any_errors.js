Promise.any(Array.from({ length: 2e5 }, (_, i) => Promise.reject(i))).catch((e) => e.errors.map(String).join().repeat(1e3));
