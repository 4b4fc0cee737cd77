let tree = ['leaf'];
for (let i = 0; i < 40; i++) tree = [tree, tree];
String(tree);
