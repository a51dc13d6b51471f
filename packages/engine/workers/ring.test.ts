import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Endpoint, parseEndpoint } from '@vrouter/core/endpoint.ts';
import { ok } from '@vrouter/core/result.ts';
import { seededRng } from '@vrouter/core/rng.ts';
import { Bell, makeBells } from './bell.ts';
import { makeRing, Parcel, RingReader, RingWriter } from './ring.ts';

const bytes = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (seed + i * 3) & 0xff);

/** Brings head and tail near the end of their 32 bits before anybody looks. */
function oldRing(size: number): SharedArrayBuffer {
  const memory = makeRing(size);
  const ends = new Int32Array(memory, 0, 32);
  ends[0] = -size;
  ends[16] = -size;
  return memory;
}

test('records come as they went, when published and not before', () => {
  const memory = makeRing(4096);
  const writer = new RingWriter(memory);
  const reader = new RingReader(memory);
  const from = ['192.0.2.7:51820', '[2001:db8::7]:65535'].map((text) => parseEndpoint(text));
  // Where they want to be answered from goes along.
  const sources = [
    { address: Uint8Array.of(192, 0, 2, 77), interfaceIndex: 0 },
    { address: bytes(16, 0xfe), interfaceIndex: 7 },
  ];
  for (const [i, source] of sources.entries()) from.push(ok({ ...(from[i] as { value: Endpoint }).value, source }));
  assert.equal(writer.publish(), false);
  for (const endpoint of from) {
    assert.ok(endpoint.ok);
    assert.ok(writer.write(Parcel.datagram, 3, 3, bytes(148, 9), 0, 148, endpoint.value));
  }
  assert.ok(writer.write(Parcel.packet, 4, 5, bytes(50, 1), 10, 40, null));
  assert.equal(reader.peek(), false);
  assert.equal(writer.publish(), true);
  assert.equal(writer.publish(), false);
  for (const endpoint of from) {
    assert.ok(endpoint.ok && reader.peek());
    assert.deepEqual([reader.kind, reader.link, reader.length], [Parcel.datagram, 3, 148]);
    assert.deepEqual(reader.bytes.slice(reader.at, reader.at + 148), bytes(148, 9));
    assert.deepEqual(reader.endpoint(), endpoint.value);
    reader.take();
  }
  assert.ok(reader.peek());
  assert.deepEqual([reader.kind, reader.link, reader.otherLink, reader.length], [Parcel.packet, 4, 5, 40]);
  assert.deepEqual(reader.bytes.slice(reader.at, reader.at + 40), bytes(50, 1).slice(10));
  reader.take();
  assert.equal(reader.waiting, false);
});

test('like a queue with an end, round and round and past 2^32', () => {
  const rng = seededRng(11);
  const memory = oldRing(2048);
  const writer = new RingWriter(memory);
  const reader = new RingReader(memory);
  const model: Uint8Array[] = [];
  let refused = 0;
  for (let i = 0; i < 20_000; i++) {
    if (rng.uint32() % 2 === 0) {
      const packet = bytes(rng.uint32() % 300, i);
      if (writer.write(Parcel.packet, i, 0, packet, 0, packet.length, null)) model.push(packet);
      else {
        refused++;
        assert.ok(model.length > 0, 'an empty ring takes what is less than half of it');
      }
      writer.publish();
    } else {
      for (let n = rng.uint32() % 4; n > 0 && reader.peek(); n--) {
        const expected = model.shift()!;
        assert.deepEqual(reader.bytes.slice(reader.at, reader.at + reader.length), expected);
        reader.take();
      }
      reader.release();
    }
  }
  assert.ok(refused > 100, `${refused} refused`);
});

test('what can never fit is refused, and a strange size too', () => {
  const writer = new RingWriter(makeRing(1024));
  assert.equal(writer.write(Parcel.packet, 0, 0, new Uint8Array(2000), 0, 2000, null), false);
  assert.throws(() => makeRing(1000), RangeError);
});

const here = new URL('.', import.meta.url).href;
/** Writes `count` records of seeded lengths; a full ring is a counted loss, and the next record says how many were lost before it. */
const writerProgram = `
  const { workerData, parentPort } = await import('node:worker_threads');
  const { Bell } = await import('${here}bell.ts');
  const { Parcel, RingWriter } = await import('${here}ring.ts');
  const { seededRng } = await import('${import.meta.resolve('@vrouter/core/rng.ts')}');
  const { memory, bells, count } = workerData;
  const writer = new RingWriter(memory);
  const bell = new Bell(bells, 1);
  const rng = seededRng(5);
  let lost = 0;
  for (let i = 0; i < count; i++) {
    const length = rng.uint32() % 400;
    const packet = new Uint8Array(length).fill(i & 0xff);
    if (!writer.write(Parcel.packet, i, lost, packet, 0, length, null)) lost++;
    if (i % 32 === 31 && writer.publish()) bell.ring(0);
    if (i % 256 === 255) await new Promise((resolve) => setImmediate(resolve));
  }
  writer.publish();
  bell.ring(0);
  parentPort.postMessage(lost);
`;

test('two threads: order is kept, and every record came or was counted as lost', { timeout: 60_000 }, async () => {
  const count = 100_000;
  const memory = oldRing(1 << 14);
  const bells = makeBells(2);
  const reader = new RingReader(memory);
  const bell = new Bell(bells, 0);
  const worker = new Worker(`(async () => { ${writerProgram} })()`, {
    eval: true,
    workerData: { memory, bells, count },
  });
  let lost = -1;
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  worker.once('message', (sum: number) => {
    lost = sum;
  });
  const lengths = seededRng(5);
  let came = 0;
  let next = 0;
  let lostBefore = 0;
  let wakes = 0;
  while (lost < 0 || reader.waiting) {
    for (let n = 0; n < 64 && reader.peek(); n++) {
      assert.equal(reader.link - next, reader.otherLink - lostBefore, 'whoever is missing was counted');
      lostBefore = reader.otherLink;
      let length = 0;
      for (; next <= reader.link; next++) length = lengths.uint32() % 400;
      assert.equal(reader.length, length);
      for (let i = 0; i < length; i++) assert.equal(reader.bytes[reader.at + i], reader.link & 0xff);
      reader.take();
      came++;
    }
    reader.release();
    bell.arm();
    const rung = reader.waiting ? null : bell.rung();
    if (rung !== null) {
      wakes++;
      await Promise.race([rung, failed, new Promise((resolve) => setTimeout(resolve, 50))]);
    } else await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(came + lost, count);
  assert.ok(came > 0 && wakes > 0);
  await worker.terminate();
});
