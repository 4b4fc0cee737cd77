globalThis.kept = event;
Object.getPrototypeOf(event).rawQueryString = Object.getPrototypeOf(event.request).inherited = () => event;
for (const part of [event, event.request, event.request.headers]) part.extra = kept;
event.request.headers['x-polluted'] = { value: '1' };
Object.freeze(event);
return event.request;
