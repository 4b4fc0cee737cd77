Array(1e5).fill('z'.repeat(1e5)).join();
