let turn = 0;
new Float64Array(1000).map((_, i) => i % 7).sort(() => (turn++ % 3) - 1);
