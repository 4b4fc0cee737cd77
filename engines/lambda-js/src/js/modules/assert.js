// `assert` (lambda-edge.md 11, rank 11).
(function (host) {
  'use strict';

  class AssertionError extends Error {
    constructor({ message, actual, expected, operator }) {
      super(message ?? `Expected values to be ${operator}: ${host.inspect(actual)} and ${host.inspect(expected)}`);
      this.name = 'AssertionError';
      this.code = 'ERR_ASSERTION';
      this.actual = actual;
      this.expected = expected;
      this.operator = operator;
      this.generatedMessage = message === undefined;
    }
  }

  function fail(message, details) {
    if (message instanceof Error) throw message;
    throw new AssertionError({ message, ...details });
  }

  function own(value, name) {
    return Object.prototype.propertyIsEnumerable.call(value, name);
  }

  function sameEntries(left, right, strict, seen) {
    if (left.size !== right.size) return false;
    const others = [...right];
    return [...left].every((entry) => {
      const at = others.findIndex((other) => isDeepEqual(entry, other, strict, seen));
      if (at >= 0) others.splice(at, 1);
      return at >= 0;
    });
  }

  function sameObjects(left, right, strict, seen) {
    if (strict && Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return false;
    if (Array.isArray(left) !== Array.isArray(right)) return false;
    if (left instanceof Date && right instanceof Date && left.getTime() !== right.getTime()) return false;
    if (left instanceof RegExp && String(left) !== String(right)) return false;
    if (left instanceof Error && (left.message !== right.message || left.name !== right.name)) return false;
    if (typeof left.valueOf() !== 'object' && !Object.is(left.valueOf(), right.valueOf())) return false;
    if ((left instanceof Map && right instanceof Map) || (left instanceof Set && right instanceof Set)) {
      if (!sameEntries(left, right, strict, seen)) return false;
    }
    const names = Object.keys(left);
    if (names.length !== Object.keys(right).length) return false;
    return names.every((name) => own(right, name) && isDeepEqual(left[name], right[name], strict, seen));
  }

  function isDeepEqual(left, right, strict = false, seen = []) {
    if (Object.is(left, right)) return true;
    const objects = [left, right].every((value) => value !== null && typeof value === 'object');
    // eslint-disable-next-line eqeqeq -- the loose form is what `deepEqual` promises.
    if (!objects) return strict ? false : left == right || (left !== left && right !== right);
    if (seen.some(([a, b]) => a === left && b === right)) return true;
    return sameObjects(left, right, strict, [...seen, [left, right]]);
  }

  function matches(error, expected) {
    if (expected === undefined) return true;
    if (typeof expected === 'function') {
      if (expected.prototype !== undefined && error instanceof expected) return true;
      return Error.isPrototypeOf(expected) || expected === Error ? false : expected.call({}, error) === true;
    }
    if (expected instanceof RegExp) return expected.test(String(error));
    return Object.keys(expected).every((name) =>
      expected[name] instanceof RegExp && typeof error?.[name] === 'string'
        ? expected[name].test(error[name])
        : isDeepEqual(error?.[name], expected[name], true),
    );
  }

  function judge(threw, error, expected, message) {
    const [wanted, text] = typeof expected === 'string' ? [undefined, expected] : [expected, message];
    if (!threw) fail(text ?? 'Missing expected exception.', { operator: 'throws' });
    if (!matches(error, wanted)) throw error;
  }

  function assert(value, message) {
    if (!value) fail(message ?? 'The expression evaluated to a falsy value', { actual: value, expected: true, operator: '==' });
  }

  const comparison = (operator, holds) => (actual, expected, message) => {
    if (!holds(actual, expected)) fail(message, { actual, expected, operator });
  };

  Object.assign(assert, {
    ok: (value, message) => assert(value, message),
    // eslint-disable-next-line eqeqeq -- as above.
    equal: comparison('equal', (a, b) => a == b || (a !== a && b !== b)),
    // eslint-disable-next-line eqeqeq -- as above.
    notEqual: comparison('notEqual', (a, b) => a != b),
    strictEqual: comparison('strictEqual', Object.is),
    notStrictEqual: comparison('notStrictEqual', (a, b) => !Object.is(a, b)),
    deepEqual: comparison('deepEqual', (a, b) => isDeepEqual(a, b)),
    notDeepEqual: comparison('notDeepEqual', (a, b) => !isDeepEqual(a, b)),
    deepStrictEqual: comparison('deepStrictEqual', (a, b) => isDeepEqual(a, b, true)),
    notDeepStrictEqual: comparison('notDeepStrictEqual', (a, b) => !isDeepEqual(a, b, true)),
    match: comparison('match', (text, pattern) => pattern.test(text)),
    doesNotMatch: comparison('doesNotMatch', (text, pattern) => !pattern.test(text)),
    fail: (message = 'Failed') => fail(message, { operator: 'fail' }),
    ifError(value) {
      if (value !== null && value !== undefined) throw value;
    },
    throws(run, expected, message) {
      let threw = false;
      let caught;
      try {
        run();
      } catch (error) {
        threw = true;
        caught = error;
      }
      judge(threw, caught, expected, message);
    },
    doesNotThrow: (run) => run(),
    async rejects(run, expected, message) {
      let threw = false;
      let caught;
      try {
        await (typeof run === 'function' ? run() : run);
      } catch (error) {
        threw = true;
        caught = error;
      }
      judge(threw, caught, expected, message);
    },
    async doesNotReject(run) {
      await (typeof run === 'function' ? run() : run);
    },
    AssertionError,
  });
  Object.defineProperty(assert, 'isDeepEqual', { value: isDeepEqual });
  const strict = (value, message) => assert(value, message);
  assert.strict = Object.assign(strict, assert, {
    equal: assert.strictEqual,
    notEqual: assert.notStrictEqual,
    deepEqual: assert.deepStrictEqual,
    notDeepEqual: assert.notDeepStrictEqual,
  });
  strict.strict = strict;
  return assert;
});
