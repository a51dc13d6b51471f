/** Rows of several workers as one list: in the order of time, parts as one row, and nothing waits for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceFilter, TraceRow } from '../control/trace-messages.ts';
import { PacketFilter } from './filter.ts';
import { CaptureJoin, HOLD_MS, TraceJoin } from './join.ts';
import { hopOfTrace, idOfTrace, packTrace, TraceIds, type TracePart } from './parts.ts';
import { type CapturedPacket, CaptureWatch, type TraceWatch, Watch } from './watch.ts';

const KEY = new Uint8Array(32).fill(7).toBase64();

function filterOf(filter: TraceFilter): PacketFilter {
  const made = PacketFilter.of(filter, () => true);
  assert.ok(made.ok);
  return made.value;
}

function traceJoin(filter: TraceFilter = {}): { readonly join: TraceJoin; readonly watch: TraceWatch } {
  const watch: TraceWatch = new Watch(filterOf(filter), () => {});
  return { watch, join: new TraceJoin(watch) };
}

const row = (unixMs: number, over: Partial<TraceRow> = {}): TraceRow => ({
  unixMs,
  link: 'wg0',
  peer: 'a',
  packet: null,
  steps: [{ node: `at ${unixMs}`, facts: {} }],
  end: 'sent',
  drop: null,
  outLink: 'wg0',
  outPeer: 'b',
  ...over,
});
const part = (id: number, hop: number, more: boolean, over: Partial<TraceRow> = {}): TracePart => ({
  ...row(1000 + hop, { steps: [{ node: `hop ${hop}`, facts: {} }], outLink: null, outPeer: null, ...over }),
  id,
  hop,
  more,
});
const times = (rows: readonly { readonly unixMs: number }[]): readonly number[] => rows.map(({ unixMs }) => unixMs);
const nodes = (one: TraceRow): readonly string[] => one.steps.map(({ node }) => node);

test('rows come by time, however the workers tell them, and only when older ones had their chance', () => {
  const { join, watch } = traceJoin();
  join.add([row(1010), row(1030)]);
  join.add([row(1000), row(1020)]);
  join.release(1000 + HOLD_MS - 1, false);
  assert.deepEqual(watch.take(), []);
  join.release(1020 + HOLD_MS, false);
  assert.deepEqual(times(watch.take()), [1000, 1010, 1020]);
  assert.ok(join.waiting);
  join.release(0, true);
  assert.deepEqual(times(watch.take()), [1030]);
  assert.ok(!join.waiting);
});

test('the parts of a packet are one row, in whatever order they come', () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const { join, watch } = traceJoin({ peer: KEY });
    const parts = [
      part(7, 0, true),
      part(7, 1, true, { peer: null }),
      part(7, 2, false, { peer: null, outLink: 'wg1', outPeer: KEY }),
    ];
    for (const at of order) join.add([parts[at]!]);
    join.release(2000, false);
    const [one, ...others] = watch.take();
    assert.equal(others.length, 0);
    assert.deepEqual(nodes(one!), ['hop 0', 'hop 1', 'hop 2']);
    assert.deepEqual(
      [one!.unixMs, one!.link, one!.peer, one!.outLink, one!.end, one!.drop],
      [1000, 'wg0', 'a', 'wg1', 'sent', null],
    );
    assert.ok(!('hop' in one!));
  }
});

test('links, peers and drops are asked of the whole way', () => {
  const { join, watch } = traceJoin({ link: 'wg1', drops: true });
  join.add([part(1, 0, true), part(1, 1, false, { outLink: 'wg1' })]);
  join.add([part(2, 0, true), part(2, 1, false, { outLink: 'wg1', drop: 'linkDown', end: 'dropped' })]);
  join.add([part(3, 0, true, { drop: 'ttlExpired', end: 'dropped' }), part(3, 1, false, { outLink: 'wg1' })]);
  join.add([part(4, 0, true), part(4, 1, false, { drop: 'linkDown', end: 'dropped' })]);
  join.release(0, true);
  assert.deepEqual(
    watch.take().map(({ drop, end }) => [drop, end]),
    [
      ['linkDown', 'dropped'],
      ['ttlExpired', 'dropped'],
    ],
  );
});

test('a part that never comes is not waited for; one without its beginning is of a packet that others watch', () => {
  const { join, watch } = traceJoin();
  join.add([part(1, 0, true), part(1, 2, false), part(2, 1, false)]);
  join.release(1500, false);
  assert.ok(join.waiting);
  join.release(3000, false);
  assert.deepEqual(watch.take().map(nodes), [['hop 0']]);
  assert.ok(!join.waiting);
});

test('what finds no room is counted', () => {
  const { join, watch } = traceJoin();
  join.add(Array.from({ length: 20_000 }, (_, i) => part(i + 1, 0, true)));
  assert.equal(watch.lost, 20_000 - 16_384);
  const held = traceJoin();
  held.join.add(Array.from({ length: 20_000 }, (_, i) => row(i)));
  held.join.release(0, true);
  const { length } = held.watch.take();
  assert.equal(length + held.watch.lost, 20_000);
});

test('captures: in a millisecond, in before out; a limit ends the watch', () => {
  const packet = (unixMs: number, direction: CapturedPacket['direction']): CapturedPacket => ({
    unixMs,
    link: 'wg0',
    direction,
    drop: null,
    length: 1,
    data: Uint8Array.of(1),
  });
  const watch = new CaptureWatch(filterOf({ count: 3 }), 100, () => {});
  const join = new CaptureJoin(watch);
  join.add([packet(5, 'out'), packet(6, 'in')]);
  join.add([packet(5, 'in'), packet(7, 'in')]);
  join.release(0, true);
  assert.deepEqual(
    watch.take().map(({ unixMs, direction }) => `${unixMs} ${direction}`),
    ['5 in', '5 out', '6 in'],
  );
  assert.ok(watch.done);
});

test('what travels with a packet tells whose number it is and how far it has come, for as long as there is room', () => {
  const ids = [new TraceIds(0), new TraceIds(7)];
  const first = ids.map((one) => one.next());
  assert.notEqual(first[0], first[1]);
  for (const id of [...first, ids[1]!.next()]) {
    const trace = packTrace(id, 0);
    assert.deepEqual([idOfTrace(trace), hopOfTrace(trace)], [id, 1]);
    // Through a word of the ring, which has a sign.
    const worn = packTrace(id, 13) | 0;
    assert.deepEqual([idOfTrace(worn), hopOfTrace(worn)], [id, 14]);
    assert.equal(packTrace(id, 15), 0);
  }
});
