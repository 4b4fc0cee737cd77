const element = { toString: () => [{ toString: element.toString }].join() };
[element].join();
