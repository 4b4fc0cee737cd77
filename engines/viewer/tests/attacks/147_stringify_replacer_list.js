JSON.stringify({}, new Proxy([], { get: (_, name) => (name === 'length' ? 2 ** 53 - 1 : 'k') }));
