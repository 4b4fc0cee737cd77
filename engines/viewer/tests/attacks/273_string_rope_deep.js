let rope = '';
for (let i = 0; i < 2e5; i++) rope = 'a' + rope + 'b';
rope.charCodeAt(1);
