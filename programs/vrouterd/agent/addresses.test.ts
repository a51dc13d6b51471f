import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problem } from '@vrouter/core/problem.ts';
import { Addresses, controllerUrl, LEARNT_MAX, validUrls } from './addresses.ts';

const [A, B, C, D] = ['https://a:8443', 'https://b:8443', 'https://c:8443', 'https://d:8443'] as const;
const why = problem('controller.unreachable', 'nobody there');
const urlsOf = (addresses: Addresses): string[] => addresses.states(0).map(({ url }) => url);

test('the list is what file, join string and controllers name; only the last can be taken away', () => {
  const addresses = new Addresses({ file: [A], join: [B, A], learnt: [B, C] });
  assert.deepEqual(
    addresses.states(0).map(({ url, source }) => `${source} ${url}`),
    [`file ${A}`, `join ${B}`, `learnt ${C}`],
  );
  addresses.say('learnt', [D]);
  assert.deepEqual(urlsOf(addresses), [A, B, D]);
  addresses.say('learnt', []);
  assert.deepEqual(urlsOf(addresses), [A, B]);
  addresses.say('file', []);
  assert.deepEqual(
    addresses.states(0).map(({ url, source }) => `${source} ${url}`),
    [`join ${A}`, `join ${B}`],
    'what the join string names too stays, as its own',
  );
});

test('they are drawn by chance, and one that works is kept', () => {
  const drawn = new Map<string, number>();
  for (let round = 0; round < 3000; round++) {
    const addresses = new Addresses({ file: [], join: [A, B, C], learnt: [] });
    const url = addresses.pick(0)!;
    drawn.set(url, (drawn.get(url) ?? 0) + 1);
    addresses.succeeded(url, 0);
    for (let n = 0; n < 10; n++) assert.equal(addresses.pick(n), url);
  }
  // 1000 each, with a deviation of 26.
  for (const url of [A, B, C]) assert.ok(Math.abs(drawn.get(url)! - 1000) < 180, JSON.stringify([...drawn]));
});

test('when one fails the others are asked at once; when all do, the first that may be tried again', () => {
  const addresses = new Addresses({ file: [], join: [A, B, C], learnt: [] });
  const asked = new Set<string>();
  for (let n = 0; n < 3; n++) {
    assert.equal(addresses.waitMs(0), 0);
    const url = addresses.pick(0)!;
    asked.add(url);
    addresses.failed(url, 0, { why, isAway: true, waitMs: 1000 * (n + 1) });
  }
  assert.deepEqual([...asked].sort(), [A, B, C]);
  assert.equal(addresses.pick(0), null);
  assert.equal(addresses.areAllOpen(0), true);
  assert.equal(addresses.waitMs(0), 1000);
  assert.equal(addresses.pick(1000), [...asked][0]);
});

test('one that failed is looked after while another works, and is told with its error', () => {
  const addresses = new Addresses(
    { file: [], join: [A, B], learnt: [] },
    () => 77,
    () => 0,
  );
  assert.equal(addresses.pick(0), A);
  addresses.failed(A, 0, { why, isAway: true, waitMs: 500 });
  assert.equal(addresses.pick(0), B);
  addresses.succeeded(B, 0);
  assert.equal(addresses.toProbe(499), null);
  assert.equal(addresses.toProbe(500), A);
  assert.deepEqual(addresses.states(100), [
    {
      url: B,
      source: 'join',
      state: 'working',
      isCurrent: true,
      lastAnswerUnixMs: 77,
      lastError: null,
      lastErrorUnixMs: null,
      retryInMs: null,
    },
    {
      url: A,
      source: 'join',
      state: 'failing',
      isCurrent: false,
      lastAnswerUnixMs: null,
      lastError: 'nobody there (controller.unreachable)',
      lastErrorUnixMs: 77,
      retryInMs: 400,
    },
  ]);
  addresses.succeeded(A, 500);
  assert.equal(addresses.toProbe(600), null);
  assert.equal(addresses.pick(600), B, 'nobody moves because of it');
  addresses.leave(B, 600);
  assert.equal(addresses.pick(600), A);
  addresses.leave(A, 600);
  assert.equal(addresses.pick(600), B);
});

test('one that left the list is not asked any more', () => {
  const addresses = new Addresses({ file: [], join: [A], learnt: [B] }, Date.now, () => 0.99);
  assert.equal(addresses.pick(0), B);
  addresses.say('learnt', [A]);
  assert.equal(addresses.pick(0), A);
  addresses.succeeded(B, 0);
  addresses.failed(B, 0, { why, isAway: true });
  assert.deepEqual(urlsOf(addresses), [A], 'what comes late of it is nothing');
});

test('addresses are https, bare, and in one spelling', () => {
  for (const [text, url] of [
    ['https://A.example:8443/', 'https://a.example:8443'],
    ['https://a.example:443', 'https://a.example'],
    ['https://[2001:DB8::1]:8443', 'https://[2001:db8::1]:8443'],
    ['http://a:8443', null],
    ['https://a:8443/path', null],
    ['https://a:8443/?q', null],
    ['https://user@a:8443', null],
    ['a:8443', null],
    ['', null],
  ] as const)
    assert.equal(controllerUrl(text), url, text);
  const many = Array.from({ length: 40 }, (_, n) => `https://h${n}:1`);
  assert.deepEqual(validUrls([A, 'nonsense', `${A}/`, ...many]), [A, ...many.slice(0, LEARNT_MAX - 1)]);
});
