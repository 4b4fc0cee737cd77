for (const name of ['JSON', 'Math', 'Promise', 'Array', 'Object', 'Symbol', 'Map', 'parseInt']) delete globalThis[name];
