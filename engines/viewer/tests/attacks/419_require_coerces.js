require({ toString() { for (;;); } });
for (;;) { try { require('x'.repeat(1e6)); } catch (e) {} }
