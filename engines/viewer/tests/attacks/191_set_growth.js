const members = new Set();
for (;;) members.add({});
