let doubled = [1];
for (;;) doubled = [...doubled, ...doubled];
