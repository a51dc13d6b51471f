import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PAGE_RECORDS } from '@vrouter/protocols/wireguard/records.ts';
import type { DumpRow } from '../control/messages.ts';
import { udpPacket } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';
import { type Directory, HEAD_BYTES, Head } from './layout.ts';
import { readCounters, readLinkNames, readPeers } from './reader.ts';
import { StatsSegment } from './segment.ts';

const column = { at: -1, names: [] };

function directory(segment: StatsSegment, more: Partial<Directory> = {}): Directory {
  return {
    epoch: 'e',
    worker: 0,
    workers: 1,
    drops: column,
    wireguardDrops: column,
    icmp: column,
    work: column,
    nodes: column,
    links: { names: [], rxPackets: -1, rxBytes: -1, txPackets: -1, txBytes: -1, drops: -1 },
    peers: { pages: segment.pages(), pageRecords: segment.pageRecords },
    ...more,
  };
}

describe('a segment', () => {
  test('says nothing before it has been told, and then what stands where', () => {
    const segment = new StatsSegment(new ArrayBuffer(65_536));
    assert.equal(readCounters([segment.read]), null);
    const drops = segment.column(3);
    drops[1] = 5;
    drops[2] = 2 ** 40 + 1;
    segment.tell(directory(segment, { drops: { at: segment.at(drops), names: ['none', 'a', 'b'] } }));
    assert.deepEqual(readCounters([segment.read])?.drops, { a: 5, b: 2 ** 40 + 1 });
    const other = new StatsSegment(new ArrayBuffer(65_536));
    const more = other.column(2);
    more[0] = 3;
    other.tell(directory(other, { drops: { at: other.at(more), names: ['a', 'c'] } }));
    assert.deepEqual(readCounters([segment.read, other.read])?.drops, { a: 8, b: 2 ** 40 + 1 });
    assert.equal(readCounters([]), null);
  });

  test('is not read while it is being changed, nor when it has changed meanwhile', () => {
    const segment = new StatsSegment(new ArrayBuffer(65_536));
    segment.tell(directory(segment));
    segment.changing(true);
    assert.equal(readLinkNames(segment.read), null);
    segment.changing(false);
    assert.deepEqual(readLinkNames(segment.read), []);
    let reads = 0;
    // Somebody changes it after the first two looks at it, and not again.
    const read = (at: number, length: number): Uint8Array => {
      if (++reads === 2) {
        segment.changing(true);
        segment.changing(false);
      }
      return segment.read(at, length);
    };
    assert.deepEqual(readLinkNames(read), []);
    assert.equal(reads, 6);
    const restless = (at: number, length: number): Uint8Array => {
      segment.changing(true);
      segment.changing(false);
      return segment.read(at, length);
    };
    assert.equal(readLinkNames(restless), null);
  });

  test('moves a text that has grown, and gives columns elsewhere when it is full', () => {
    const segment = new StatsSegment(new ArrayBuffer(8192));
    const names = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `link${index}`, index }));
    const links = { rxPackets: -1, rxBytes: -1, txPackets: -1, txBytes: -1, drops: -1 };
    for (const count of [1, 20, 40, 3]) {
      segment.tell(directory(segment, { links: { ...links, names: names(count) } }));
      assert.equal(readLinkNames(segment.read)?.length, count);
    }
    const beyond = segment.column(10_000);
    assert.deepEqual([beyond.length, segment.at(beyond)], [10_000, -1]);
    // There is no room for this text: what was said last still holds.
    segment.tell(directory(segment, { links: { ...links, names: names(1000) } }));
    assert.equal(readLinkNames(segment.read)?.length, 3);
  });

  test('is refused when it is of another kind, another version, or cut off', () => {
    const memory = new ArrayBuffer(8192);
    const segment = new StatsSegment(memory);
    segment.tell(directory(segment));
    const head = new Int32Array(memory, 0, HEAD_BYTES / 4);
    for (const word of [Head.magic, Head.version, Head.textAt, Head.textBytes]) {
      const before = head[word]!;
      head[word] = before + 1;
      assert.equal(readLinkNames(segment.read), null);
      head[word] = before;
    }
    assert.deepEqual(readLinkNames(segment.read), []);
    for (const length of [0, 8, HEAD_BYTES, HEAD_BYTES + 3])
      assert.equal(
        readLinkNames((at, wanted) => new Uint8Array(memory, 0, length).subarray(at, at + wanted)),
        null,
      );
  });
});

test('peers that come, speak and go: their records say what a dump says', async () => {
  const world = new World();
  await world.gateway();
  const rows = (): readonly object[] => {
    const dump = world.engine.dump() as readonly DumpRow[];
    return dump
      .filter((row) => row.is === 'peer')
      .map(
        ({
          is: _,
          presharedKeyFingerprint: __,
          allowedIps: ___,
          persistentKeepalive: ____,
          pathMtu: _____,
          ...facts
        }) => facts,
      );
  };
  const told = (): readonly object[] => world.segments.flatMap((segment) => readPeers(segment)!);
  const same = (): void => {
    const order = (a: object, b: object): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
    assert.deepEqual([...told()].sort(order), [...rows()].sort(order));
  };
  same();
  const clients = [await world.client(1), await world.client(2)];
  same();
  for (const client of clients) client.send(udpPacket({ src: '10.77.0.2', dst: '10.77.0.3' }, Uint8Array.of(1)));
  world.settle();
  same();
  assert.ok(told().some((peer) => (peer as { rxPackets: number }).rxPackets > 0));
  // More than a page of them, some with an endpoint; then most go, and others take their places.
  const key = (n: number): string =>
    new Uint8Array(32)
      .fill(n & 255)
      .fill(n >> 8, 16)
      .toBase64();
  for (let n = 1; n <= PAGE_RECORDS + 10; n++)
    await world.do({
      do: 'peer.set',
      link: 'wg0',
      publicKey: key(n),
      allowedIps: [],
      persistentKeepalive: 0,
      ...(n % 3 === 0 ? { endpoint: n % 2 === 0 ? `192.0.2.1:${n}` : `[2001:db8::${n}]:${n}` } : {}),
    });
  same();
  for (let n = 1; n <= PAGE_RECORDS; n++) await world.do({ do: 'peer.remove', link: 'wg0', publicKey: key(n) });
  same();
  await world.do({ do: 'peer.set', link: 'wg0', publicKey: key(7), allowedIps: [], persistentKeepalive: 0 });
  same();
});
