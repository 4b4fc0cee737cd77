// The handler and its invocations: every style of answering that lambda-edge.md 5.2 lists (column "edgehook", rules 1–5),
// and the context object (5.3).
(function (host) {
  'use strict';

  const stringify = JSON.stringify;

  function failure(kind, message) {
    const error = new Error(message);
    error.name = kind;
    return error;
  }

  let handler;

  // Finds the handler among the exports of the function's file, or in their `default`.
  host.adopt = (exported, path) => {
    if (path.includes('..')) throw failure('Runtime.MalformedHandlerName', `'${path}' is not a valid handler name`);
    const walk = (start) => path.split('.').reduce((value, part) => value?.[part], start);
    const found = walk(exported) ?? walk(exported?.default);
    if (found === undefined || found === null) {
      throw failure('Runtime.HandlerNotFound', `${host.file}: ${path} is undefined or not exported`);
    }
    if (typeof found !== 'function') throw failure('Runtime.HandlerNotFound', `${host.file}: ${path} is not a function`);
    if (host.about.compat === 'nodejs24' && found.length >= 3) {
      throw failure('Runtime.CallbackHandlerDeprecated', 'Node.js 24 takes no handlers with a callback: return a promise');
    }
    handler = found;
  };

  function contextFor(requestId, deadline, call) {
    const about = host.about;
    return {
      get callbackWaitsForEmptyEventLoop() {
        return call.waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        call.waits = Boolean(value);
      },
      succeed: (value) => call.done(null, value),
      fail: (error) => call.done(error ?? 'handled', undefined),
      done: (error, value) => call.done(error, value),
      functionVersion: about.version,
      functionName: about.name,
      memoryLimitInMB: about.memory,
      logGroupName: about.logGroup,
      logStreamName: about.logStream,
      clientContext: undefined,
      identity: undefined,
      invokedFunctionArn: about.arn,
      awsRequestId: requestId,
      tenantId: undefined,
      getRemainingTimeInMillis: () => deadline - Date.now(),
      xRayTraceId: undefined,
    };
  }

  function isPlain(value) {
    if (value === null || typeof value !== 'object') return false;
    const prototype = Object.getPrototypeOf(value);
    return prototype === null || prototype === Object.prototype;
  }

  // One invocation. The first outcome claims it; what claims it later changes nothing.
  class Call {
    waits = true;
    claimed = false;
    pending = false;
    fallback = null;
    held = undefined; // what the callback was given, until the loop is empty

    claim() {
      const first = !this.claimed && current === this;
      this.claimed = true;
      return first;
    }
    answer(value) {
      let text;
      try {
        text = stringify(value) ?? 'null';
      } catch (error) {
        host.fail('Runtime.MarshalError', `the result cannot be serialised: ${host.describe(error, false)[1]}`, '');
        return;
      }
      host.succeed(text);
    }
    resolve(value) {
      if (this.claim()) this.answer(value);
    }
    reject(error) {
      if (this.claim()) host.fail(...host.describe(error, false));
    }
    done(error, value) {
      if (error === undefined || error === null) this.resolve(value);
      else this.reject(error);
    }
    callback(error, value) {
      if ((error !== undefined && error !== null) || !this.waits) this.done(error, value);
      else if (this.claim()) this.held = { value };
    }
    // The event loop has run empty and nothing can change the outcome any more.
    emptied() {
      if (this.held !== undefined) this.answer(this.held.value);
      else if (this.pending) {
        // The engine abandons an async function that runs into the recursion limit after an `await`.
        const message = "the handler's promise never settles: nothing is left to wait for, or calls were nested too deeply";
        host.fail('Runtime.NodeJsExit', message, '');
      } else this.answer(this.fallback);
    }
  }

  let current;
  let warned = false;

  function warnOfReturn() {
    if (warned) return;
    warned = true;
    host.record('WARN', 'the handler returned its result synchronously: on AWS, Node.js 22 and older ignore that and answer 502');
  }

  function returned(call, value) {
    const declared = handler.length;
    if (value !== null && (typeof value === 'object' || typeof value === 'function') && typeof value.then === 'function') {
      call.pending = true;
      Promise.resolve(value).then(
        (result) => {
          call.pending = false;
          // With three parameters a callback may still come.
          if (result !== undefined || declared < 3) call.resolve(result);
        },
        (error) => {
          call.pending = false;
          call.reject(error);
        },
      );
    } else if (host.about.compat === 'nodejs22') {
      // Ignored, as that version does: the answer is the callback's, or null when the loop is empty.
    } else if (value !== undefined && declared < 3) {
      if (call.claimed) return;
      if (host.about.compat === 'any') warnOfReturn();
      call.resolve(value);
    } else if (isPlain(value)) call.fallback = value;
  }

  host.invoke = (event, requestId, deadline) => {
    const call = new Call();
    current = call;
    host.setRequest(requestId);
    try {
      returned(call, handler(event, contextFor(requestId, deadline, call), (error, value) => call.callback(error, value)));
    } catch (error) {
      call.reject(error);
    }
  };
  host.emptied = () => current.emptied();
});
