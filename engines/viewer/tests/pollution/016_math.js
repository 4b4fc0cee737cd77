for (const name of Object.getOwnPropertyNames(Math)) if (typeof Math[name] === 'function') Math[name] = () => 0.5;
Math.TAU = 6.28;
Math[Symbol.toPrimitive] = () => 4;
return event.request;
