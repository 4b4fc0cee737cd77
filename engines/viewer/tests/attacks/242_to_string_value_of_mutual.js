// New objects each time: the engine gives up silently on an object that it is converting already.
const left = () => ({ toString: () => `${right()}` });
const right = () => ({ toString: () => String(left()) });
String(left());
