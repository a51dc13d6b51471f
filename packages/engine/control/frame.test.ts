import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, FrameDecoder, MAX_FRAME_BYTES } from './frame.ts';

/** All messages that come out when the bytes go in, cut at the given places. */
function decode(bytes: Uint8Array, cuts: readonly number[]): { messages: unknown[]; error: string | null } {
  const decoder = new FrameDecoder();
  const messages: unknown[] = [];
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < edges.length; i++) {
    decoder.push(bytes.slice(edges[i - 1], edges[i]));
    for (let next = decoder.next(); next !== null; next = decoder.next()) {
      if (!next.ok) return { messages, error: next.error.code };
      messages.push(next.value);
    }
  }
  return { messages, error: null };
}

test('a frame is a length and JSON', () => {
  assert.equal(encodeFrame({ a: '\u00e9' }).toHex(), '0000000a7b2261223a22c3a9227d');
});

test('messages come out whole, however the stream was cut', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 12 }), (values, cuts) => {
      const frames = values.map(encodeFrame);
      const stream = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
      let at = 0;
      for (const frame of frames) {
        stream.set(frame, at);
        at += frame.length;
      }
      const plain = values.map((value): unknown => JSON.parse(JSON.stringify(value)));
      assert.deepEqual(decode(stream, cuts), { messages: plain, error: null });
    }),
    { seed: 23, numRuns: 500 },
  );
});

test('byte by byte', () => {
  const frame = encodeFrame({ id: 1, method: 'dump' });
  assert.deepEqual(decode(frame, Array.from(frame.keys())).messages, [{ id: 1, method: 'dump' }]);
});

const failures: readonly (readonly [string, string])[] = [
  ['a length over the limit', '01000001'],
  ['the greatest length', 'ffffffff'],
  ['an empty frame', '00000000'],
  ['no UTF-8', '0000000322ff22'],
  ['no JSON', '000000027b7b'],
];
for (const [what, hex] of failures) {
  test(`${what} is a protocol error for good`, () => {
    const decoder = new FrameDecoder();
    decoder.push(Uint8Array.fromHex(hex));
    for (let i = 0; i < 2; i++) {
      const next = decoder.next();
      assert.ok(next !== null && !next.ok);
      assert.equal(next.error.code, 'engine.protocol');
      decoder.push(encodeFrame({ fine: true }));
    }
  });
}

test('a frame of the greatest length is taken, one byte more is not sent', () => {
  const text = 'x'.repeat(MAX_FRAME_BYTES - 2);
  assert.deepEqual(decode(encodeFrame(text), [5_000_000]).messages, [text]);
  assert.throws(() => encodeFrame(`${text}x`), RangeError);
});
