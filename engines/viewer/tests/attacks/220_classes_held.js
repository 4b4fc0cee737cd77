const classes = [];
for (let i = 0; ; i++) classes.push(class { #secret = i; static s = classes; get x() { return this.#secret; } });
