/** What a listener that comes back is told: all that it missed, or that it missed something. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventBus } from './bus.ts';

const input = {
  type: 'peer.added',
  vrouter: 'edge',
  subject: 'phone',
  version: 1,
  text: 'peer phone was added to edge',
} as const;

function busWith(startUnixMs: number, events: number): EventBus {
  const bus = new EventBus(() => startUnixMs);
  for (let i = 0; i < events; i++) bus.emit(input);
  return bus;
}

/** The first id that a bus gives out. */
function firstId(startUnixMs: number): number {
  let id = 0;
  const bus = new EventBus(() => startUnixMs);
  bus.subscribe((event) => {
    id = event.id;
  });
  bus.emit(input);
  return id;
}

test('who heard an event that is kept gets the ones after it alone', () => {
  const first = firstId(1_000_000);
  const bus = busWith(1_000_000, 10);
  assert.deepEqual(
    bus.since(first + 6).map(({ id, type }) => [id, type]),
    [7, 8, 9].map((n) => [first + n, 'peer.added']),
  );
  assert.deepEqual(bus.since(first + 9), []);
});

test('who was away for more than is kept is told so', () => {
  const first = firstId(1_000_000);
  const bus = busWith(1_000_000, 300);
  const [missed, ...kept] = bus.since(first + 2);
  assert.equal(missed!.type, 'events.missed');
  assert.equal(kept.length, 256);
  assert.equal(kept[0]!.id, first + 44);
  // It may come back with the id of that, and gets the same without being told again.
  assert.deepEqual(bus.since(missed!.id), kept);
});

test('an id of an earlier start, of a later one or of none at all misses nothing silently', () => {
  const old = firstId(1_000_000) + 500;
  const bus = busWith(1_060_000, 3);
  for (const foreign of [old, 0, 18, Number.NaN, firstId(2_000_000)])
    assert.deepEqual(
      bus.since(foreign).map(({ type }) => type),
      ['events.missed', 'peer.added', 'peer.added', 'peer.added'],
      String(foreign),
    );
  assert.deepEqual(
    busWith(1_060_000, 0)
      .since(old)
      .map(({ type }) => type),
    ['events.missed'],
  );
});
