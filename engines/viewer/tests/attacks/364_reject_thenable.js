function handler() { return Promise.reject({ then(resolve) { resolve(this); }, get message() { for (;;); } }); }
