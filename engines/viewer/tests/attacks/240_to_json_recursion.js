const self = { toJSON: () => JSON.stringify(self) };
JSON.stringify(self);
