// Tells in the answer which request it was and how old the stored copy is, for the network panel of a browser and for
// finding the request in the logs.
//
// Attach at:  viewer-response, runtime nodejs (handler "handler")
// Edit:       ID_HEADER; SHOW, true for everybody, false only for requests with the header ASK (any value)
//
// Adds Server-Timing entries (`edge` with the distribution's id, `age` in milliseconds where the answer says its age)
// behind those of the origin, and the request id. Nothing of it is stored: the next hit has values of its own.

const ID_HEADER = 'X-Request-Id';
const SHOW = false;
const ASK = 'x-trace';

// Text for a quoted string: what could end it is left out.
function quoted(text) {
  return '"' + String(text).replace(/[^\x20-\x7e]|["\\]/g, '') + '"';
}

function timings(config, headers) {
  const entries = [`edge;desc=${quoted(config.distributionId)}`];
  const age = headers.age && Number(headers.age[0].value);
  if (age >= 0) {
    entries.push(`age;dur=${age * 1000}`);
  }
  return entries.join(', ');
}

exports.handler = async (event) => {
  const { config, request, response } = event.Records[0].cf;
  if (!SHOW && !request.headers[ASK]) {
    return response;
  }
  const headers = response.headers;
  headers['server-timing'] = (headers['server-timing'] || []).concat([
    { key: 'Server-Timing', value: timings(config, headers) },
  ]);
  headers[ID_HEADER.toLowerCase()] = [{ key: ID_HEADER, value: config.requestId }];
  return response;
};
