// The handler and its invocations: every style of answering that lambda-edge.md 5.2 lists (column "edgehook", rules 1–5), the
// context object (5.3) and the variables of its trace (10.4). One source for boa and for Node.js, whose bootstrap holds it too.
//
// `host` has `compat`, `shown` (the file's name for messages), `facts()` (what the context object tells), `now()` (the machine's
// time, whatever `Date` shows), `record(level, text)`,
// `message(error)`, `succeed(call, text)`, `fail(call, error)` and `failAs(call, kind, message)`, and where values can be taken as
// they are, without `JSON.stringify`, `take(call, value)`, which tells whether it did; it gets `adopt`, `begin`, `line`, `ended`,
// `emptied` and `failure`.
(function (host) {
  'use strict';

  const { stringify } = JSON;
  const { process } = globalThis;

  host.failure = (kind, message) => {
    const error = new Error(message);
    error.name = kind;
    error.stack = '';
    return error;
  };
  const { failure } = host;

  let handler;
  let current;
  let warned = false;

  // Finds the handler among the exports of the function's file, or in their `default`.
  host.adopt = (exported, path) => {
    if (path.includes('..')) throw failure('Runtime.MalformedHandlerName', `'${path}' is not a valid handler name`);
    const walk = (start) => path.split('.').reduce((value, part) => value?.[part], start);
    const found = walk(exported) ?? walk(exported?.default);
    if (found === undefined || found === null) {
      throw failure('Runtime.HandlerNotFound', `${host.shown}: ${path} is undefined or not exported`);
    }
    if (typeof found !== 'function') throw failure('Runtime.HandlerNotFound', `${host.shown}: ${path} is not a function`);
    if (host.compat === 'nodejs24' && found.length >= 3) {
      throw failure('Runtime.CallbackHandlerDeprecated', 'Node.js 24 takes no handlers with a callback: return a promise');
    }
    handler = found;
  };

  function contextFor(call, facts) {
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
      functionVersion: facts.version,
      functionName: facts.name,
      memoryLimitInMB: facts.memory,
      logGroupName: facts.logGroup,
      logStreamName: facts.logStream,
      clientContext: undefined,
      identity: undefined,
      invokedFunctionArn: facts.arn,
      awsRequestId: call.id,
      tenantId: undefined,
      getRemainingTimeInMillis: () => call.deadline - host.now(),
      xRayTraceId: call.trace,
    };
  }

  function traceParent(trace) {
    const parts = Object.fromEntries(trace.split(';').map((pair) => pair.split('=')));
    return `00-${parts.Root.slice(2).replace('-', '')}-${parts.Parent}-${parts.Sampled === '1' ? '01' : '00'}`;
  }

  // Tells the process which trace the invocation belongs to, as X-Ray and as W3C write it.
  function setTrace(trace, parent) {
    const { env } = process;
    if (trace) {
      env._X_AMZN_TRACE_ID = trace;
      env.TRACEPARENT = parent ?? traceParent(trace);
    } else if (env._X_AMZN_TRACE_ID !== undefined) {
      delete env._X_AMZN_TRACE_ID;
      delete env.TRACEPARENT;
    }
  }

  const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

  // A record of the function's log, as text or JSON; in JSON, what is below the level that is asked for is nothing (6.3, 10.2).
  host.line = (requestId, level, message) => {
    const { AWS_LAMBDA_LOG_FORMAT: form, AWS_LAMBDA_LOG_LEVEL: least = 'INFO' } = process.env;
    const timestamp = new Date().toISOString();
    if (form !== 'JSON') return `${timestamp}\t${requestId}\t${level}\t${message.replace(/\r?\n/g, '\r')}\n`;
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return '';
    return `${stringify({ timestamp, level, requestId, message })}\n`;
  };

  function isPlain(value) {
    if (value === null || typeof value !== 'object') return false;
    const prototype = Object.getPrototypeOf(value);
    return prototype === null || prototype === Object.prototype;
  }

  // One invocation. The first outcome claims it; what claims it later changes nothing.
  class Call {
    constructor(id, deadline, trace) {
      // Not as fields of the class: boa calls a function for each of those.
      this.waits = true;
      this.claimed = false;
      this.pending = false;
      this.fallback = null;
      this.held = undefined; // what the callback was given, until the loop is empty
      this.id = id;
      this.deadline = deadline;
      this.trace = trace || undefined;
    }
    claim() {
      const first = !this.claimed && current === this;
      this.claimed = true;
      return first;
    }
    answer(value) {
      if (host.take?.(this, value)) return;
      let text;
      try {
        text = stringify(value) ?? 'null';
      } catch (error) {
        host.failAs(this, 'Runtime.MarshalError', `the result cannot be serialised: ${host.message(error)}`);
        return;
      }
      host.succeed(this, text);
    }
    resolve(value) {
      if (this.claim()) this.answer(value);
    }
    reject(error) {
      if (this.claim()) host.fail(this, error);
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
      else if (this.claimed) return;
      else if (this.pending) {
        this.claim();
        // boa abandons an async function that runs into the recursion limit after an `await`.
        const message = "the handler's promise never settles: nothing is left to wait for, or calls were nested too deeply";
        host.failAs(this, 'Runtime.NodeJsExit', message);
      } else this.resolve(this.fallback);
    }
  }

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
    } else if (host.compat === 'nodejs22') {
      // Ignored, as that version does: the answer is the callback's, or null when the loop is empty.
    } else if (value !== undefined && declared < 3) {
      if (call.claimed) return;
      if (host.compat === 'any') warnOfReturn();
      call.resolve(value);
    } else if (isPlain(value)) call.fallback = value;
  }

  // `parent` is the trace as W3C writes it, where the host knows that.
  host.begin = (event, id, deadline, trace, parent) => {
    const call = new Call(id, deadline, trace);
    current = call;
    setTrace(trace, parent);
    try {
      returned(call, handler(event, contextFor(call, host.facts()), (error, value) => call.callback(error, value)));
    } catch (error) {
      call.reject(error);
    }
    return call;
  };
  host.ended = () => {
    current = undefined;
  };
  host.emptied = () => current?.emptied();
});
