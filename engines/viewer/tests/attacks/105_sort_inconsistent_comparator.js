let flip = 1;
Array.from({ length: 1e5 }, (_, i) => i).sort(() => (flip = -flip));
