for (;;) try { (function again() { again(); })(); } catch { continue; } finally { continue; }
