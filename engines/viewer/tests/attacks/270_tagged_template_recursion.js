function tag(strings) { return tag`${strings}`; }
tag`x`;
