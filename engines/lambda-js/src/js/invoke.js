// What boa's environment asks of `calling.js`, and how outcomes get from there to the host.
(function (host) {
  'use strict';

  const calls = {
    shown: undefined,
    compat: undefined,
    facts: () => host.about,
    now: host.now,
    record: host.record,
    message: (error) => host.describe(error, false)[1],
    take: (_call, value) => host.take(value),
    succeed: (_call, text) => host.succeed(text),
    fail: (_call, error) => host.fail(...host.describe(error, false)),
    failAs: (_call, kind, message) => host.fail(kind, message, ''),
  };
  host.calling(calls);
  host.line = calls.line;

  host.adopt = (exported, path) => {
    calls.shown = host.file;
    calls.compat = host.about.compat;
    calls.adopt(exported, path);
  };
  host.invoke = (event, requestId, deadline, trace, parent) => {
    host.setRequest(requestId);
    calls.begin(event, requestId, deadline, trace, parent);
  };
  host.emptied = () => calls.emptied();
});
