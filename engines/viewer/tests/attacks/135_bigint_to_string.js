(1n << 8000000n).toString();
