// `console`, and how values look in it: one record per call, in the format of AWS's Node runtime
// (lambda-edge.md 10.2). Absent: colours, the indentation of groups, the lines of tables.
(function (host) {
  'use strict';

  host.inspectKey = Symbol.for('nodejs.util.inspect.custom');

  const WIDTH = 72; // a longer object is written over several lines
  const MEMBERS = 100; // of a list, set, map or buffer

  function quoted(text) {
    const quote = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes('`') ? '`' : "'";
    const escaped = JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"');
    return quote + (quote === "'" ? escaped.replace(/'/g, "\\'") : escaped) + quote;
  }

  function key(name) {
    if (typeof name === 'symbol') return `[${String(name)}]`;
    return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name);
  }

  function errorText(error) {
    const [kind, message, trace] = host.describe(error, false);
    const extra = Object.keys(error);
    const text = trace || `${kind}: ${message}`;
    return extra.length === 0 ? text : `${text} ${members(error, extra, '{', '}', 1, [error])}`;
  }

  function primitive(value) {
    if (typeof value === 'string') return quoted(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (Object.is(value, -0)) return '-0';
    return String(value);
  }

  function constructorName(value) {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === null) return '[Object: null prototype]';
    const constructor = prototype.constructor;
    return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'Object';
  }

  function functionText(value) {
    const source = Function.prototype.toString.call(value);
    // Only of classes is the prototype fixed, and of built-in constructors.
    const fixed = Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false;
    if (fixed && (globalThis[value.name] !== value || value === host.Buffer)) return `[class ${value.name || '(anonymous)'}]`;
    const kind = source.startsWith('async') ? 'AsyncFunction' : 'Function';
    return value.name === '' ? `[${kind} (anonymous)]` : `[${kind}: ${value.name}]`;
  }

  function property(value, name, depth, seen) {
    const descriptor = Object.getOwnPropertyDescriptor(value, name);
    if (descriptor && descriptor.get) return descriptor.set ? '[Getter/Setter]' : '[Getter]';
    if (descriptor && descriptor.set) return '[Setter]';
    return inspect(value[name], depth, seen);
  }

  function layout(open, parts, close) {
    if (parts.length === 0) return open + close;
    const total = parts.reduce((sum, part) => sum + part.length + 2, open.length + close.length);
    const single = total <= WIDTH && !parts.some((part) => part.includes('\n'));
    if (single) return `${open} ${parts.join(', ')} ${close}`;
    return `${open}\n${parts.map((part) => '  ' + part.replace(/\n/g, '\n  ')).join(',\n')}\n${close}`;
  }

  function members(value, names, open, close, depth, seen) {
    return layout(open, names.map((name) => `${key(name)}: ${property(value, name, depth, seen)}`), close);
  }

  function cut(parts, count) {
    if (count > MEMBERS) parts.push(`... ${count - MEMBERS} more item${count - MEMBERS > 1 ? 's' : ''}`);
    return parts;
  }

  function list(value, prefix, depth, seen) {
    const parts = Array.from(value.slice(0, MEMBERS), (item) => inspect(item, depth, seen));
    const extra = Object.keys(value).filter((name) => !/^\d+$/.test(name));
    extra.forEach((name) => parts.push(`${key(name)}: ${property(value, name, depth, seen)}`));
    return layout(`${prefix}[`, cut(parts, value.length), ']');
  }

  function collection(value, depth, seen) {
    const entries = Array.from(value).slice(0, MEMBERS);
    const parts =
      value instanceof Map
        ? entries.map(([name, item]) => `${inspect(name, depth, seen)} => ${inspect(item, depth, seen)}`)
        : entries.map((item) => inspect(item, depth, seen));
    return layout(`${constructorName(value)}(${value.size}) {`, cut(parts, value.size), '}');
  }

  function bufferText(value) {
    const hex = Array.from(value.subarray(0, 50), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return `<Buffer${hex && ' ' + hex}${value.length > 50 ? ` ... ${value.length - 50} more bytes` : ''}>`;
  }

  // The kinds of objects that do not look like `{ name: value }`; undefined for the rest.
  function special(value) {
    if (typeof value === 'function') return functionText(value);
    if (value instanceof Error) return errorText(value);
    if (value instanceof RegExp) return String(value);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof host.Buffer) return bufferText(value);
    if (value instanceof Promise) return 'Promise {}';
    if (value instanceof String) return `[String: ${quoted(String(value))}]`;
    if (value instanceof Number || value instanceof Boolean) return `[${constructorName(value)}: ${value}]`;
    return undefined;
  }

  // The text of `value` as console.log would show it within an object; `depth` more levels are opened.
  function inspect(value, depth = 2, seen = []) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return primitive(value);
    if (seen.includes(value)) return '[Circular *1]';
    const custom = value[host.inspectKey];
    if (typeof custom === 'function') {
      const text = custom.call(value, depth, {}, (inner) => inspect(inner, depth, [...seen, value]));
      return typeof text === 'string' ? text : inspect(text, depth, [...seen, value]);
    }
    const known = special(value);
    if (known !== undefined) return known;
    const name = constructorName(value);
    if (depth < 0) return Array.isArray(value) ? '[Array]' : `[${name}]`;
    const path = [...seen, value];
    if (Array.isArray(value)) return list(value, '', depth - 1, path);
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      return list(value, `${name}(${value.length}) `, depth - 1, path);
    }
    if (value instanceof Map || value instanceof Set) return collection(value, depth - 1, path);
    return members(value, Object.keys(value), name === 'Object' ? '{' : `${name} {`, '}', depth - 1, path);
  }

  function json(value) {
    try {
      return JSON.stringify(value);
    } catch {
      return '[Circular]';
    }
  }

  function integer(value) {
    if (typeof value === 'bigint') return `${value}n`;
    return typeof value === 'symbol' ? 'NaN' : String(Number.parseInt(value, 10));
  }

  function directive(letter, value) {
    switch (letter) {
      case 's':
        return typeof value === 'object' && value !== null ? inspect(value, 0) : typeof value === 'string' ? value : primitive(value);
      case 'd':
        return typeof value === 'bigint' ? `${value}n` : typeof value === 'symbol' ? 'NaN' : String(Number(value));
      case 'i':
        return integer(value);
      case 'f':
        return typeof value === 'symbol' ? 'NaN' : String(Number.parseFloat(value));
      case 'j':
        return String(json(value));
      case 'c':
        return '';
      default:
        return inspect(value, 4);
    }
  }

  // The text of one console call: a format string with its values, then the other values, separated by spaces.
  function format(...values) {
    const parts = [];
    if (typeof values[0] === 'string' && values.length > 1) {
      const template = values.shift();
      parts.push(
        template.replace(/%([sdifjoOc%])/g, (whole, letter) => {
          if (letter === '%') return '%';
          return values.length === 0 ? whole : directive(letter, values.shift());
        }),
      );
    }
    values.forEach((value) => parts.push(typeof value === 'string' ? value : inspect(value)));
    return parts.join(' ');
  }

  let requestId;

  function record(level, text) {
    host.write(host.line(requestId, level, text));
  }

  const clocks = new Map();
  const counts = new Map();
  const elapsed = (label) => `${((host.uptime() - (clocks.get(label) ?? host.uptime())) * 1000).toFixed(3)}ms`;

  const logger = (level) => (...values) => record(level, format(...values));

  host.record = record;
  host.inspect = inspect;
  host.format = format;
  // The request that later records belong to.
  host.setRequest = (id) => {
    requestId = id;
  };

  globalThis.console = {
    log: logger('INFO'),
    info: logger('INFO'),
    warn: logger('WARN'),
    error: logger('ERROR'),
    debug: logger('DEBUG'),
    trace: (...values) => record('TRACE', `Trace: ${format(...values)}`),
    dir: (value) => record('INFO', inspect(value)),
    table: (value) => record('INFO', inspect(value)),
    group: (...values) => values.length > 0 && record('INFO', format(...values)),
    groupCollapsed: (...values) => values.length > 0 && record('INFO', format(...values)),
    groupEnd() {},
    time: (label = 'default') => clocks.set(label, host.uptime()),
    timeLog: (label = 'default', ...values) => record('INFO', format(`${label}: ${elapsed(label)}`, ...values)),
    timeEnd(label = 'default') {
      record('INFO', `${label}: ${elapsed(label)}`);
      clocks.delete(label);
    },
    count(label = 'default') {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      record('INFO', `${label}: ${counts.get(label)}`);
    },
    countReset: (label = 'default') => counts.delete(label),
    assert: (condition, ...values) => {
      if (!condition) record('ERROR', ['Assertion failed', format(...values)].filter(Boolean).join(': '));
    },
  };
});
