// The usual way to shuffle: a comparator without an order.
Array.from({ length: 100 }, (_, i) => i).sort(() => Math.random() - 0.5);
