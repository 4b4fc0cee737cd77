// Makes a Lambda runtime of Node.js: polls for invocations and calls the handler, in every style of answering that
// lambda-edge.md 5.2 lists (column "edgehook", rules 1–5), with the context object of 5.3. Started as
// `node -e BOOTSTRAP -- FILE COMPAT`. The same rules as `lambda-js/src/js/invoke.js` has for boa; here the event loop is Node's,
// which says `beforeExit` when it is empty. Absent: dependencies.
'use strict';
(() => {
  const fs = require('fs');
  const http = require('http');
  const path = require('path');
  const util = require('util');
  const { createRequire } = require('module');
  const { pathToFileURL } = require('url');

  const [file, compat] = process.argv.splice(1);
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
  const about = process.env;
  about.AWS_EXECUTION_ENV = `AWS_Lambda_nodejs${process.versions.node.split('.')[0]}.x`;
  delete about._LAMBDA_TELEMETRY_LOG_FD;
  const stringify = JSON.stringify;
  const exit = process.exit.bind(process);

  // ---- what is printed: a record a line, line breaks within it as CR

  let requestId;

  function print(text) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) {
      try {
        at += fs.writeSync(1, bytes, at);
      } catch (error) {
        if (error.code !== 'EAGAIN') return;
      }
    }
  }

  function record(level, text) {
    print(`${new Date().toISOString()}\t${requestId}\t${level}\t${text.replace(/\r?\n/g, '\r')}\n`);
  }

  const logger = (level) => (...values) => record(level, util.format(...values));
  Object.assign(console, {
    log: logger('INFO'),
    info: logger('INFO'),
    warn: logger('WARN'),
    error: logger('ERROR'),
    debug: logger('DEBUG'),
    trace: (...values) => record('TRACE', new Error(util.format(...values)).stack.replace(/^Error/, 'Trace')),
  });

  // ---- the Runtime API

  // Its sockets hold the loop open only while a request is under way.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

  function ask(method, target, headers, body) {
    return new Promise((resolve, reject) => {
      const options = { host, port, agent, method, headers, path: `/2018-06-01/runtime/${target}` };
      const request = http.request(options, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(chunks) }));
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  function post(target, text, type) {
    const body = Buffer.from(text);
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    if (type !== undefined) headers['lambda-runtime-function-error-type'] = type;
    return ask('POST', target, headers, body);
  }

  // ---- errors

  function failure(kind, message) {
    const error = new Error(message);
    error.name = kind;
    error.stack = '';
    return error;
  }

  // { errorType, errorMessage, trace }. What is no Error has its type for a name and no trace.
  function describe(error) {
    try {
      if (!util.types.isNativeError(error) && !(error instanceof Error)) {
        return { errorType: typeof error, errorMessage: String(error), trace: [] };
      }
      const lines = String(error.stack ?? '').split('\n').filter((line) => !line.includes('[eval]'));
      return { errorType: String(error.name), errorMessage: String(error.message), trace: lines.filter((line) => line !== '') };
    } catch {
      return { errorType: 'Error', errorMessage: 'the error cannot be read', trace: [] };
    }
  }

  function ended(what, error, status) {
    const described = describe(error);
    const text = described.trace.length > 0 ? described.trace.join('\n') : `${described.errorType}: ${described.errorMessage}`;
    record('ERROR', `${what}: ${text}`);
    exit(status);
  }
  process.on('uncaughtException', (error) => ended('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (error) => ended('Unhandled Promise Rejection', error, 128));

  // ---- the handler

  function isModule() {
    const ending = path.extname(file);
    if (ending === '.mjs' || ending === '.cjs') return ending === '.mjs';
    for (let folder = path.dirname(file); path.basename(folder) !== 'node_modules'; folder = path.dirname(folder)) {
      try {
        return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).type === 'module';
      } catch {
        if (folder === path.dirname(folder)) break;
      }
    }
    return false;
  }

  async function load() {
    const name = about._HANDLER;
    if (name.includes('..')) throw failure('Runtime.MalformedHandlerName', `'${name}' is not a valid handler name`);
    let exported;
    try {
      exported = isModule() ? await import(pathToFileURL(file).href) : createRequire(file)(file);
    } catch (error) {
      if (error instanceof SyntaxError) error.name = 'Runtime.UserCodeSyntaxError';
      else if (/^(ERR_)?MODULE_NOT_FOUND$|^ERR_PACKAGE_PATH_NOT_EXPORTED$/.test(error?.code)) error.name = 'Runtime.ImportModuleError';
      throw error;
    }
    const walk = (start) => name.split('.').reduce((value, part) => value?.[part], start);
    const found = walk(exported) ?? walk(exported?.default);
    const shown = path.basename(file);
    if (found === undefined || found === null) {
      throw failure('Runtime.HandlerNotFound', `${shown}: ${name} is undefined or not exported`);
    }
    if (typeof found !== 'function') throw failure('Runtime.HandlerNotFound', `${shown}: ${name} is not a function`);
    if (compat === 'nodejs24' && found.length >= 3) {
      throw failure('Runtime.CallbackHandlerDeprecated', 'Node.js 24 takes no handlers with a callback: return a promise');
    }
    return found;
  }

  function contextFor(call, arn, deadline) {
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
      functionVersion: about.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: about.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: about.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: about.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: about.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext: undefined,
      identity: undefined,
      invokedFunctionArn: arn,
      awsRequestId: call.id,
      tenantId: undefined,
      getRemainingTimeInMillis: () => deadline - Date.now(),
      xRayTraceId: undefined,
    };
  }

  // One invocation. The first outcome claims it; what claims it later changes nothing.
  class Call {
    waits = true;
    claimed = false;
    pending = false;
    fallback = null;
    held = undefined; // what the callback was given, until the loop is empty

    constructor(id) {
      this.id = id;
      this.answered = new Promise((resolve) => (this.settle = resolve));
    }
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
        const [why] = describe(error).errorMessage.split('\n');
        this.failed(failure('Runtime.MarshalError', `the result cannot be serialised: ${why}`));
        return;
      }
      this.settle(['response', text]);
    }
    failed(error) {
      this.settle(['error', stringify(describe(error))]);
    }
    resolve(value) {
      if (this.claim()) this.answer(value);
    }
    reject(error) {
      if (this.claim()) this.failed(error);
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
        this.failed(failure('Runtime.NodeJsExit', "the handler's promise never settles: nothing is left to wait for"));
      } else this.resolve(this.fallback);
    }
  }

  let handler;
  let current;
  let warned = false;

  function warnOfReturn() {
    if (warned) return;
    warned = true;
    record('WARN', 'the handler returned its result synchronously: on AWS, Node.js 22 and older ignore that and answer 502');
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
    } else if (compat === 'nodejs22') {
      // Ignored, as that version does: the answer is the callback's, or null when the loop is empty.
    } else if (value !== undefined && declared < 3) {
      if (call.claimed) return;
      if (compat === 'any') warnOfReturn();
      call.resolve(value);
    } else if (value !== null && typeof value === 'object') {
      const prototype = Object.getPrototypeOf(value);
      if (prototype === null || prototype === Object.prototype) call.fallback = value;
    }
  }

  function invoke(call, event, context) {
    try {
      returned(call, handler(event, context, (error, value) => call.callback(error, value)));
    } catch (error) {
      call.reject(error);
    }
  }
  process.on('beforeExit', () => current?.emptied());

  async function serve() {
    for (;;) {
      const { headers, body } = await ask('GET', 'invocation/next', {});
      requestId = headers['lambda-runtime-aws-request-id'];
      current = new Call(requestId);
      const arn = headers['lambda-runtime-invoked-function-arn'];
      const context = contextFor(current, arn, Number(headers['lambda-runtime-deadline-ms']));
      invoke(current, JSON.parse(body.toString()), context);
      const [target, text] = await current.answered;
      current = undefined;
      await post(`invocation/${requestId}/${target}`, text);
    }
  }

  load().then(
    (found) => {
      handler = found;
      return serve();
    },
    async (error) => {
      const described = describe(error);
      const { errorType: type, errorMessage: message, trace } = described;
      const platform = /^Runtime\.[A-Z][a-zA-Z]+$/.test(type) ? type : undefined;
      await post('init/error', stringify({ errorType: type, errorMessage: message, stackTrace: trace }), platform);
      exit(1);
    },
  );
})();
