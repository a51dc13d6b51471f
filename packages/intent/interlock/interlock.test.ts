import assert from 'node:assert/strict';
import test from 'node:test';
import { countKinds, interlock } from './interlock.ts';

const rows: readonly [string, number, number, boolean][] = [
  ['nothing', 100, 0, false],
  ['nine of nine', 9, 9, false],
  ['ten of ten', 10, 10, true],
  ['ten of fifty', 50, 10, true],
  ['ten of fifty-one', 51, 10, false],
  ['19 of 100', 100, 19, false],
  ['20 of 100', 100, 20, true],
];
for (const [name, before, removes, held] of rows)
  test(`interlock: ${name}`, () => {
    const verdict = interlock('controller', new Map([['peer', before]]), new Map([['peer', removes]]));
    assert.equal(verdict.held, held);
    assert.equal(interlock('cli', new Map([['peer', before]]), new Map([['peer', removes]])).held, false);
  });

test('kinds are judged one by one, and named', () => {
  const before = new Map([
    ['route', 1000],
    ['peer', 20],
    ['address', 30],
  ]);
  const verdict = interlock(
    'controller',
    before,
    countKinds([...Array(15).fill('peer/wg0/x'), ...Array(30).fill('route/d/1'), ...Array(29).fill('address/a/b')]),
  );
  assert.ok(verdict.held);
  assert.equal(verdict.reason, 'the controller would remove 29 of 30 addresses, 15 of 20 peers');
});

test('kinds of two words, and those that are many already, read well', () => {
  const many = new Map([
    ['natSettings', 10],
    ['publishedPort', 10],
  ]);
  const verdict = interlock('controller', many, many);
  assert.ok(verdict.held);
  assert.match(verdict.reason, /10 of 10 nat settings, 10 of 10 published ports$/);
});
