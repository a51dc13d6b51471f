import assert from 'node:assert/strict';
import test from 'node:test';
import { problemCodes } from './codes.ts';
import { ProblemError, problem, toProblem } from './problem.ts';
import { err, ok } from './result.ts';

test('a problem has a field only when there is one', () => {
  assert.deepEqual(Object.keys(problem('usage', 'x')), ['code', 'message']);
  assert.deepEqual(problem('usage', 'x', 'f'), { code: 'usage', message: 'x', field: 'f' });
});

test('a thrown problem comes back whole; anything else is internal', () => {
  const what = problem('peer.notFound', 'there is no such peer', 'peer');
  assert.equal(toProblem(new ProblemError(what)), what);
  assert.deepEqual(toProblem(new TypeError('x is not a function')), problem('internal', 'x is not a function'));
  for (const thrown of ['text', undefined, null, 7, Symbol('s'), Object.create(null)])
    assert.equal(toProblem(thrown).code, 'internal');
});

test('the message of a thrown problem has code and sentence', () => {
  const error = new ProblemError(problem('timeout', 'nobody answered'));
  assert.equal(error.message, 'timeout: nobody answered');
  assert.equal(error.name, 'ProblemError');
  assert.ok(error instanceof Error);
});

test('codes are unique and look like codes', () => {
  assert.equal(new Set(problemCodes).size, problemCodes.length);
  for (const code of problemCodes) assert.match(code, /^[a-z][a-zA-Z]*(\.[a-z][a-zA-Z]*)?$/);
});

test('results say which they are', () => {
  assert.deepEqual(ok(1), { ok: true, value: 1 });
  assert.deepEqual(err('e'), { ok: false, error: 'e' });
});
