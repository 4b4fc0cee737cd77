let Chain = class { constructor() { this.n = 0; } };
for (let i = 0; i < 1e5; i++) Chain = class extends Chain { constructor() { super(); } };
new Chain();
