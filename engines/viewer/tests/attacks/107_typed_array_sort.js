new Uint8Array(4e6).map((_, i) => i * 31).sort((a, b) => b - a);
