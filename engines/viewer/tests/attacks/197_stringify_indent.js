let indented = Array(1000).fill(1);
for (let i = 0; i < 100; i++) indented = [indented, 1];
for (let i = 0; i < 20; i++) indented = [indented, indented];
JSON.stringify(indented, null, '          ');
