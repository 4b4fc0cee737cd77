// Makes a Lambda runtime of Node.js: polls for invocations and calls the handler, by the rules of `calling`, which is the same
// source that boa's environments run (`lambda-js/src/js/calling.js`, put before this by `launch.rs`). Started as
// `node -e BOOTSTRAP -- FILE COMPAT HANDLER [CLOCK]`. The event loop is Node's, which says `beforeExit` when it is empty. Absent:
// dependencies.
(() => {
  'use strict';

  const fs = require('fs');
  const http = require('http');
  const path = require('path');
  const util = require('util');
  const { createRequire } = require('module');
  const { pathToFileURL } = require('url');

  const [file, compat, name, began] = process.argv.splice(1);
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
  const about = process.env;
  about.AWS_EXECUTION_ENV = `AWS_Lambda_nodejs${process.versions.node.split('.')[0]}.x`;
  delete about._LAMBDA_TELEMETRY_LOG_FD;
  const stringify = JSON.stringify;
  const exit = process.exit.bind(process);
  const { now } = Date;

  // ---- the time of a test, in milliseconds: it stands still, and `Date` tells it wherever it is asked for the present. A proxy, so
  // that `instanceof`, derived classes and statics are as ever. Timers, `performance` and `Intl` go by the machine's clock.

  let clock;

  function stop() {
    const { Date } = globalThis;
    Object.assign(Date, { now: () => clock });
    globalThis.Date = new Proxy(Date, {
      apply: () => new Date(clock).toString(),
      construct: (_, values, target) => Reflect.construct(Date, values.length === 0 ? [clock] : values, target),
    });
    Date.prototype.constructor = globalThis.Date;
  }

  if (began !== undefined) {
    clock = Number(began);
    stop();
  }

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
    print(calls.line(requestId, level, text));
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
    let exported;
    try {
      exported = isModule() ? await import(pathToFileURL(file).href) : createRequire(file)(file);
    } catch (error) {
      if (error instanceof SyntaxError) error.name = 'Runtime.UserCodeSyntaxError';
      else if (/^(ERR_)?MODULE_NOT_FOUND$|^ERR_PACKAGE_PATH_NOT_EXPORTED$/.test(error?.code)) error.name = 'Runtime.ImportModuleError';
      throw error;
    }
    calls.adopt(exported, name);
  }

  const calls = {
    shown: path.basename(file),
    compat,
    facts: () => facts,
    now,
    record,
    message: (error) => describe(error).errorMessage.split('\n')[0],
    succeed: (_call, text) => answered(['response', text]),
    fail: (_call, error) => answered(['error', stringify(describe(error))]),
    failAs: (call, kind, message) => calls.fail(call, calls.failure(kind, message)),
  };
  calling(calls);
  let answered; // takes the outcome of the invocation that runs

  const facts = {
    version: about.AWS_LAMBDA_FUNCTION_VERSION,
    name: about.AWS_LAMBDA_FUNCTION_NAME,
    memory: about.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroup: about.AWS_LAMBDA_LOG_GROUP_NAME,
    logStream: about.AWS_LAMBDA_LOG_STREAM_NAME,
    arn: undefined,
  };
  process.on('beforeExit', () => calls.emptied());

  async function serve() {
    for (;;) {
      const { headers, body } = await ask('GET', 'invocation/next', {});
      requestId = headers['lambda-runtime-aws-request-id'];
      facts.arn = headers['lambda-runtime-invoked-function-arn'];
      const deadline = Number(headers['lambda-runtime-deadline-ms']);
      if (began !== undefined) clock = Number(headers['edgehook-clock-ms'] ?? clock);
      const [target, text] = await new Promise((settle) => {
        answered = settle;
        calls.begin(JSON.parse(body.toString()), requestId, deadline, headers['lambda-runtime-trace-id']);
      });
      calls.ended();
      await post(`invocation/${requestId}/${target}`, text);
    }
  }

  load().then(
    serve,
    async (error) => {
      const described = describe(error);
      const { errorType: type, errorMessage: message, trace } = described;
      const platform = /^Runtime\.[A-Z][a-zA-Z]+$/.test(type) ? type : undefined;
      await post('init/error', stringify({ errorType: type, errorMessage: message, stackTrace: trace }), platform);
      exit(1);
    },
  );
})();
