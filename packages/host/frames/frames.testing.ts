/**
 * The contract of frame sockets, to be run as a program inside a network namespace of its own: `node frames.testing.ts KIND`. Two sockets
 * face each other, what one sends the other gets. Says `ok` at the end; any failure is an exit code and a stack.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProblemError } from '@vrouter/core/problem.ts';
import { changeLink } from '@vrouter/drivers/linux/netlink/link.ts';
import { ask, Requests } from '@vrouter/drivers/linux/netlink/requests.ts';
import { openNetlink } from '../netlink/netlink.ts';
import { watchLink } from '../netlink/watch.ts';
import { makeRegion, type Region } from '../udp/shape.ts';
import { openPacket } from './packet.ts';
import type { PacketSocket } from './packet-socket.ts';
import { Fate, type FrameRows, type FrameSocket, SPARE_BYTES } from './shape.ts';
import { openTun } from './tun.ts';

const MARK = 0xb7;
/** Our marks lie behind the addresses of either kind, so what the kernel says by itself is told apart. */
const MARK_AT = 40;
/** Length of the frames that only try whether the cable carries; a late one is no arrival. */
const TRIAL = 59;

function up(name: string): void {
  const socket = openNetlink();
  assert.equal(ask(new Requests(socket), changeLink(socket.indexOf(name), { mtu: 1500, up: true }), name), null);
  socket.close();
}

/** Two sockets that face each other, and a frame that neither can send. */
function pair(kind: string): readonly [FrameSocket, FrameSocket, Uint8Array] {
  if (kind === 'veth') {
    execFileSync('ip', ['link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'b0']);
    up('a0');
    up('b0');
    return [openPacket({ interface: 'a0' }), openPacket({ interface: 'b0', fanoutGroup: 7 }), new Uint8Array(4000)];
  }
  assert.ok(kind === 'tun' || kind === 'tap');
  const device = openTun({ name: 'a0', kind });
  up('a0');
  // On a TUN, a packet whose version nobody knows; on a TAP, less than a header.
  return [device, openPacket({ interface: 'a0' }), new Uint8Array(kind === 'tun' ? 40 : 6)];
}

function frame(kind: string, length: number, seed: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (seed * 31 + i * 5) & 0xff);
  bytes.fill(0, 0, MARK_AT);
  // IPv4 from nowhere, or an Ethernet frame of a local experiment (IEEE 802 section 9.2) to a station that is not there.
  if (kind === 'tun') bytes[0] = 0x45;
  else bytes.set([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5]);
  bytes.fill(MARK, MARK_AT, MARK_AT + 4);
  return bytes;
}

function makeRows(capacity: number): FrameRows & { readonly region: Region[] } {
  return { capacity, count: 0, region: [], offset: new Int32Array(capacity), length: new Int32Array(capacity) };
}

/** The frames as rows of one region, with gaps. */
function rowsOf(frames: readonly Uint8Array[]): FrameRows {
  const rows = makeRows(frames.length);
  const region = makeRegion(frames.reduce((sum, one) => sum + one.length + 13, 0));
  let at = 0;
  for (const one of frames) {
    at += 13;
    region.bytes.set(one, at);
    rows.region.push(region);
    rows.offset[rows.count] = at;
    rows.length[rows.count++] = one.length;
    at += one.length;
  }
  return rows;
}

/** Takes what has come, soils the spare bytes that are the taker's, and gives those that carry our mark. */
function take(socket: FrameSocket, capacity: number): Uint8Array[] {
  const rows = makeRows(capacity);
  assert.ok(socket.receive(rows) <= capacity);
  for (let row = 0; row < rows.count; row++) {
    const { bytes } = rows.region[row]!;
    const end = rows.offset[row]! + rows.length[row]!;
    assert.ok(rows.offset[row]! >= SPARE_BYTES && bytes.length - end >= SPARE_BYTES, 'spare bytes on both sides');
    bytes.fill(0xee, rows.offset[row]! - SPARE_BYTES, rows.offset[row]!);
    bytes.fill(0xee, end, end + SPARE_BYTES);
  }
  return Array.from({ length: rows.count }, (_, row) => {
    const at = rows.offset[row]!;
    return rows.region[row]!.bytes.slice(at, at + rows.length[row]!);
  }).filter((bytes) => [0, 1, 2, 3].every((i) => bytes[MARK_AT + i] === MARK));
}

async function contract(kind: string): Promise<void> {
  const [a, b, impossible] = pair(kind);
  // A cable between two interfaces takes a moment until it carries, and drops what comes before.
  const first = rowsOf([frame(kind, TRIAL, 0)]);
  for (let turn = 0; take(b, 20).length === 0; turn++) {
    assert.ok(turn < 1000, 'nothing gets through');
    a.send(first);
    await sleep(5);
  }
  while (take(b, 20).length > 0 || take(a, 20).length > 0);

  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    // Batches, in order and whole; a full batch leaves the rest for the next call.
    const frames = Array.from({ length: 50 }, (_, i) => frame(kind, i === 49 ? 1500 : 60 + i * 20, i));
    assert.equal(from.send(rowsOf(frames)), frames.length);
    const got: Uint8Array[] = [];
    for (let turn = 0; got.length < frames.length && turn < 2000; turn++) {
      got.push(...take(to, 20).filter((bytes) => bytes.length !== TRIAL));
      await sleep(2);
    }
    assert.deepEqual(got, frames);
    assert.deepEqual(take(to, 20), []);
  }

  // Told of it, and again for as long as something is left.
  let calls = 0;
  const seen: Uint8Array[] = [];
  b.onReadable(() => {
    calls++;
    seen.push(...take(b, 1));
  });
  assert.throws(() => b.onReadable(() => {}));
  const three = [1, 2, 3].map((n) => frame(kind, 100, n));
  assert.equal(a.send(rowsOf(three)), 3);
  for (let turn = 0; seen.length < 3 && turn < 500; turn++) await sleep(5);
  assert.deepEqual(seen, three);
  assert.ok(calls >= 3);

  // What the kernel does not take is counted, and the rest goes.
  const lost = a.counters.sendLost;
  assert.equal(a.send(rowsOf([impossible, frame(kind, 100, 4)])), 1);
  assert.equal(a.counters.sendLost, lost + 1);
  const outside = rowsOf(three);
  outside.offset[1] = 100_000;
  assert.throws(() => a.send(outside), RangeError);

  assert.throws(() => openTun({ name: 'a0', kind: 'tun' }), code('port.inUse'));
  assert.throws(() => openTun({ name: 'not/a name', kind: 'tun' }), code('name.invalid'));
  assert.throws(() => openPacket({ interface: 'nowhere' }), code('interface.notFound'));

  // A device that somebody deletes says so, and does not call for ever.
  if (kind === 'tun' || kind === 'tap') {
    const other = openTun({ name: 'c0', kind });
    let woken = 0;
    other.onReadable(() => {
      woken++;
      other.receive(makeRows(4));
    });
    assert.equal(other.gone, false);
    execFileSync('ip', ['link', 'del', 'c0']);
    for (let turn = 0; !other.gone && turn < 500; turn++) await sleep(5);
    assert.equal(other.gone, true);
    const before = woken;
    await sleep(50);
    assert.equal(woken, before);
    await other.close();
  }

  if (kind === 'veth') await ports();

  await a.close();
  await a.close();
  assert.equal(a.receive(makeRows(4)), 0);
  assert.equal(a.send(rowsOf(three)), 0);
  await b.close();
  const after = calls;
  await sleep(20);
  assert.equal(calls, after);
  if (kind !== 'veth') {
    const socket = openNetlink();
    assert.equal(socket.indexOf('a0'), 0, 'the device is gone with its socket');
    socket.close();
  }
}

/** On a cable that is there: each VLAN hears its own, without its tag; a super-packet and an open checksum come as they are. */
async function ports(): Promise<void> {
  const [five, seven, plain] = [5, 7, undefined].map((vlan) =>
    openPacket({ interface: 'b0', ...(vlan === undefined ? {} : { vlan }) }),
  ) as [PacketSocket, PacketSocket, PacketSocket];
  const said = frame('veth', 200, 1);
  for (const [vlan, hears] of [
    [5, five],
    [7, seven],
    [undefined, plain],
  ] as const) {
    const from = openPacket({ interface: 'a0', ...(vlan === undefined ? {} : { vlan }) });
    assert.equal(from.send(rowsOf([said])), 1);
    for (const socket of [five, seven, plain]) {
      const other = socket.counters.otherVlan;
      let got: readonly Uint8Array[] = [];
      for (let turn = 0; turn < 200 && got.length === 0 && socket.counters.otherVlan === other; turn++) {
        got = take(socket, 4);
        await sleep(2);
      }
      assert.deepEqual(got, socket === hears ? [said] : [], `VLAN ${vlan} heard by one of three`);
    }
    await from.close();
  }
  assert.deepEqual([five.mtu, five.isUp(), five.mac.length], [1500, true, 6]);

  // Behind a virtio_net header: a super-packet in three pieces, with a tag that is put in on its way.
  const shared = { offloads: true, vlan: 5 };
  const [from, to] = [openPacket({ interface: 'a0', ...shared }), openPacket({ interface: 'b0', ...shared })];
  assert.ok(from.vnetHeader && to.vnetHeader);
  const whole = superPacket();
  const pieces = [whole.subarray(0, 64), whole.subarray(64, 2000), whole.subarray(2000)];
  const fates = new Uint8Array(1);
  from.sendGathered({ frames: 1, firstPiece: Int32Array.of(0, 3), ...rowsOf(pieces) }, fates);
  assert.deepEqual([...fates], [Fate.taken]);
  const rows = makeRows(8);
  let got: Uint8Array | null = null;
  for (let turn = 0; turn < 500 && got === null; turn++) {
    to.receive(rows);
    for (let row = 0; row < rows.count; row++) {
      const { bytes } = rows.region[row]!;
      const at = rows.offset[row]!;
      if (rows.length[row] === whole.length && bytes[at + 22] === 0x08) got = bytes.slice(at, at + whole.length);
    }
    await sleep(2);
  }
  assert.ok(got !== null, 'the super-packet came whole');
  const header = new DataView(got.buffer);
  assert.equal(header.getUint8(1), 1, 'to be cut as TCP over IPv4');
  assert.equal(header.getUint16(4, true), 1000);
  assert.deepEqual([header.getUint8(0) & 1, header.getUint16(6, true)], [1, 34], 'the checksum is still to be made');
  assert.deepEqual(got.subarray(10 + 54), new Uint8Array(3000).fill(0x5a));

  // An interface that goes down fails once, and its socket is told of what comes when it is up again.
  let calls = 0;
  plain.onReadable(() => {
    calls += take(plain, 8).length;
  });
  execFileSync('ip', ['link', 'set', 'b0', 'down']);
  for (let turn = 0; plain.isUp() && turn < 500; turn++) await sleep(2);
  await sleep(20);
  let changes = 0;
  let losses = 0;
  const watch = watchLink(plain.index, (lost) => {
    changes++;
    if (lost) losses++;
  })!;
  execFileSync('ip', ['link', 'set', 'b0', 'up']);
  for (let turn = 0; !plain.isUp() && turn < 500; turn++) await sleep(2);
  const again = openPacket({ interface: 'a0' });
  for (let turn = 0; calls === 0 && turn < 500; turn++) {
    again.send(rowsOf([said]));
    await sleep(5);
  }
  assert.ok(calls > 0, 'readable again');
  assert.ok(changes > 0, 'told of the change');
  assert.equal(losses, 0);
  // A cable that is out for a moment.
  execFileSync('sh', ['-c', 'ip link set a0 down; ip link set a0 up']);
  for (let turn = 0; losses === 0 && turn < 1000; turn++) await sleep(2);
  assert.ok(losses > 0, 'told that the carrier was lost');
  watch.close();
  execFileSync('ip', ['link', 'del', 'b0']);
  assert.deepEqual([plain.isUp(), plain.gone], [false, true]);
  for (const socket of [five, seven, plain, from, to, again]) await socket.close();
}

/** TCP of 3,000 bytes to be cut into 1,000 each, behind its virtio_net header. */
function superPacket(): Uint8Array {
  const bytes = new Uint8Array(10 + 54 + 3000).fill(0x5a);
  const view = new DataView(bytes.buffer);
  bytes.fill(0, 0, 64);
  bytes.set([1, 1, 54, 0]);
  view.setUint16(4, 1000, true);
  view.setUint16(6, 34, true);
  view.setUint16(8, 16, true);
  bytes.set([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 8, 0, 0x45, 0], 10);
  view.setUint16(10 + 16, 3040);
  bytes.set([64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 10 + 22);
  bytes[10 + 34 + 12] = 5 << 4;
  bytes[10 + 34 + 13] = 0x10;
  return bytes;
}

function code(expected: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof ProblemError && thrown.problem.code === expected;
}

/** Without privileges: a clear refusal that says what to do. A device that the user may not open needs no capability, but another mode. */
function denied(mayOpen: boolean): void {
  const missing = mayOpen ? 'give it CAP_NET_ADMIN' : 'chmod 0666 /dev/net/tun';
  for (const [open, what] of [
    [() => openTun({ name: 'vrdenied0', kind: 'tun' }), missing],
    [() => openTun({ name: 'vrdenied0', kind: 'tap' }), missing],
    [() => openPacket({ interface: 'lo' }), 'CAP_NET_RAW'],
  ] as const)
    assert.throws(open, (thrown) => code('port.denied')(thrown) && String(thrown).includes(what));
}

const kind = process.argv[2] ?? '';
if (kind === 'denied') denied(true);
else if (kind === 'closed') denied(false);
else await contract(kind);
process.stdout.write('ok\n');
