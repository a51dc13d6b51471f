import assert from 'node:assert/strict';
import test from 'node:test';
import { needs, programPath } from './needs.ts';

test('what every machine has needs no reason', () => {
  assert.equal(needs(), false);
  assert.equal(needs('sh'), false);
  assert.match(programPath('sh') ?? '', /\/sh$/);
});

test('what is missing is named, all of it', () => {
  assert.equal(needs('no-such-program', 'sh', 'nor-this'), 'no no-such-program, no nor-this');
  assert.equal(programPath('no-such-program'), null);
});

test('root is told by the user id', () => {
  assert.equal(needs('root'), process.getuid?.() === 0 ? false : 'not root');
});
