import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerStats } from '@vrouter/api/agent/agent.ts';
import fc from 'fast-check';
import { defaultBounds, StatsFeed } from './stats-feed.ts';

const row = (n: number, rxBytes = 0): PeerStats => ({
  interface: 'wg0',
  publicKey: `${String(n).padStart(6, '0')}${'A'.repeat(37)}=`,
  endpoint: `203.0.113.${n % 250}:${40_000 + (n % 1000)}`,
  lastHandshakeUnixMs: 1_800_000_000_000,
  rxBytes,
  txBytes: 9_007_199_254_740_000,
  rxPackets: 9_007_199_254_740_000,
  txPackets: 9_007_199_254_740_000,
});
const numbers = (rows: readonly PeerStats[]): number[] => rows.map(({ publicKey }) => Number(publicKey.slice(0, 6)));

test('what has not changed is not told again, and everything is after five minutes', () => {
  const feed = new StatsFeed();
  const peers = [0, 1, 2].map((n) => row(n));
  assert.deepEqual(numbers(feed.next(peers, 'e', 0)), [0, 1, 2], 'silent ones too, the first time');
  feed.answered();
  assert.deepEqual(feed.next(peers, 'e', 5000), []);
  feed.answered();
  assert.deepEqual(numbers(feed.next([row(0), row(1, 7), row(2)], 'e', 10_000)), [1]);
  feed.answered();
  assert.deepEqual(feed.next([row(0), row(1, 7), row(2)], 'e', 299_999), []);
  assert.deepEqual(numbers(feed.next(peers, 'e', 300_000)).sort(), [0, 1, 2]);
});

test('what was told and not answered is told again', () => {
  const feed = new StatsFeed();
  feed.next([row(0)], 'e', 0);
  assert.equal(feed.next([row(0)], 'e', 1).length, 1);
  feed.answered();
  assert.equal(feed.next([row(0)], 'e', 2).length, 0);
});

for (const [why, act] of [
  ['another life of the plane', (feed: StatsFeed) => feed.next([row(0)], 'another', 3)],
  [
    'a controller that was started anew',
    (feed: StatsFeed) => {
      feed.forget();
      return feed.next([row(0)], 'e', 3);
    },
  ],
  [
    'a peer that went and came back',
    (feed: StatsFeed) => {
      feed.next([], 'e', 2);
      return feed.next([row(0)], 'e', 3);
    },
  ],
] as const)
  test(`everything is told anew after ${why}`, () => {
    const feed = new StatsFeed();
    feed.next([row(0)], 'e', 0);
    feed.answered();
    assert.deepEqual(feed.next([row(0)], 'e', 1), []);
    assert.deepEqual(numbers(act(feed)), [0]);
  });

test('five thousand peers that all change: a poll stays below its bounds, and everybody has a turn', () => {
  const feed = new StatsFeed();
  const seen = new Set<number>();
  let polls = 0;
  for (; seen.size < 5000; polls++) {
    const told = feed.next(
      Array.from({ length: 5000 }, (_, n) => row(n, polls + 1)),
      'e',
      polls * 5000,
    );
    assert.ok(told.length > 500 && told.length <= defaultBounds.entries);
    assert.ok(Buffer.byteLength(JSON.stringify(told)) <= defaultBounds.bytes);
    for (const n of numbers(told)) seen.add(n);
    feed.answered();
    assert.ok(polls < 10);
  }
  assert.equal(polls, Math.ceil(5000 / Math.floor(defaultBounds.bytes / (JSON.stringify(row(1000, 1)).length + 1))));
});

test('whatever changes and whatever is lost, the controller ends with what is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ changes: fc.array(fc.nat(9), { maxLength: 4 }), lost: fc.boolean() }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 4 }),
      (polls, entries) => {
        const feed = new StatsFeed({ ...defaultBounds, entries });
        const counters = new Array<number>(10).fill(0);
        const heard = new Map<number, number>();
        const poll = (at: number, lost: boolean): void => {
          const told = feed.next(
            counters.map((count, n) => row(n, count)),
            'e',
            at,
          );
          assert.ok(told.length <= entries);
          for (const one of told) heard.set(numbers([one])[0]!, one.rxBytes);
          if (!lost) feed.answered();
        };
        for (const [at, { changes, lost }] of polls.entries()) {
          for (const n of changes) counters[n]!++;
          poll(at, lost);
        }
        for (let at = 0; at < Math.ceil(10 / entries) + 1; at++) poll(polls.length + at, false);
        assert.deepEqual(
          [...heard].sort(([a], [b]) => a - b).map(([, count]) => count),
          counters,
        );
      },
    ),
  );
});
