import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  COOKIE_REPLY_LEN,
  type CookieReply,
  checkCookieReply,
  cookieReplyReceiver,
  emitCookieReply,
  parseCookieReply,
} from './cookie-reply.ts';
import {
  checkData,
  DATA_MIN_LEN,
  type Data,
  dataCounterHigh,
  dataCounterLow,
  dataLen,
  dataReceiver,
  emitData,
  parseData,
} from './data.ts';
import {
  checkInitiation,
  emitInitiation,
  INITIATION_LEN,
  type Initiation,
  initiationSender,
  parseInitiation,
} from './initiation.ts';
import { wireguardType } from './message.ts';
import {
  checkResponse,
  emitResponse,
  parseResponse,
  RESPONSE_LEN,
  type Response,
  responseReceiver,
  responseSender,
} from './response.ts';

/** `from`, `from + 1`, ... */
const run = (from: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => from + i);
const hexRun = (from: number, length: number): string => run(from, length).toHex();
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });

interface Codec<T extends object> {
  readonly name: string;
  readonly literal: string;
  readonly value: T;
  readonly arbitrary: fc.Arbitrary<T>;
  length(value: T): number;
  check(v: DataView, at: number, end: number): boolean;
  parse(v: DataView, at: number, end: number): T | null;
  emit(value: T, v: DataView, at: number): void;
  accessors(v: DataView, at: number): readonly number[];
  readonly accessed: readonly number[];
}

const initiation: Codec<Initiation> = {
  name: 'initiation',
  literal: `0100000044332211${hexRun(1, 32)}${hexRun(40, 48)}${hexRun(100, 28)}${hexRun(130, 16)}${hexRun(150, 16)}`,
  value: {
    sender: 0x1122_3344,
    ephemeral: run(1, 32),
    encryptedStatic: run(40, 48),
    encryptedTimestamp: run(100, 28),
    mac1: run(130, 16),
    mac2: run(150, 16),
  },
  arbitrary: fc.record({
    sender: uint32,
    ephemeral: bytes(32),
    encryptedStatic: bytes(48),
    encryptedTimestamp: bytes(28),
    mac1: bytes(16),
    mac2: bytes(16),
  }),
  length: () => INITIATION_LEN,
  check: checkInitiation,
  parse: parseInitiation,
  emit: emitInitiation,
  accessors: (v, at) => [wireguardType(v, at), initiationSender(v, at)],
  accessed: [1, 0x1122_3344],
};

const response: Codec<Response> = {
  name: 'response',
  literal: `02000000887766f544332211${hexRun(1, 32)}${hexRun(40, 16)}${hexRun(60, 16)}${hexRun(80, 16)}`,
  value: {
    sender: 0xf566_7788,
    receiver: 0x1122_3344,
    ephemeral: run(1, 32),
    encryptedEmpty: run(40, 16),
    mac1: run(60, 16),
    mac2: run(80, 16),
  },
  arbitrary: fc.record({
    sender: uint32,
    receiver: uint32,
    ephemeral: bytes(32),
    encryptedEmpty: bytes(16),
    mac1: bytes(16),
    mac2: bytes(16),
  }),
  length: () => RESPONSE_LEN,
  check: checkResponse,
  parse: parseResponse,
  emit: emitResponse,
  accessors: (v, at) => [wireguardType(v, at), responseSender(v, at), responseReceiver(v, at)],
  accessed: [2, 0xf566_7788, 0x1122_3344],
};

const cookieReply: Codec<CookieReply> = {
  name: 'cookie reply',
  literal: `03000000443322f1${hexRun(1, 24)}${hexRun(40, 32)}`,
  value: { receiver: 0xf122_3344, nonce: run(1, 24), encryptedCookie: run(40, 32) },
  arbitrary: fc.record({ receiver: uint32, nonce: bytes(24), encryptedCookie: bytes(32) }),
  length: () => COOKIE_REPLY_LEN,
  check: checkCookieReply,
  parse: parseCookieReply,
  emit: emitCookieReply,
  accessors: (v, at) => [wireguardType(v, at), cookieReplyReceiver(v, at)],
  accessed: [3, 0xf122_3344],
};

const data: Codec<Data> = {
  name: 'data',
  literal: `04000000443322f104030201040302f1${hexRun(40, 20)}`,
  value: { receiver: 0xf122_3344, counterLow: 0x0102_0304, counterHigh: 0xf102_0304, sealed: run(40, 20) },
  arbitrary: fc.record({
    receiver: uint32,
    counterLow: uint32,
    counterHigh: uint32,
    sealed: fc.uint8Array({ minLength: 16, maxLength: 60 }),
  }),
  length: dataLen,
  check: checkData,
  parse: parseData,
  emit: emitData,
  accessors: (v, at) => [wireguardType(v, at), dataReceiver(v, at), dataCounterLow(v, at), dataCounterHigh(v, at)],
  accessed: [4, 0xf122_3344, 0x0102_0304, 0xf102_0304],
};

const MARGIN = 7;

function prove<T extends object>(codec: Codec<T>): void {
  test(`${codec.name}: literal bytes both ways, nothing else touched`, () => {
    const literal = Uint8Array.fromHex(codec.literal);
    assert.equal(codec.length(codec.value), literal.length);
    const buffer = new Uint8Array(literal.length + 2 * MARGIN).fill(0xa5);
    // A view that does not start where its buffer does.
    const v = new DataView(buffer.buffer, 3);
    codec.emit(codec.value, v, MARGIN - 3);
    assert.equal(buffer.subarray(MARGIN, -MARGIN).toHex(), codec.literal);
    assert.ok(buffer.subarray(0, MARGIN).every((byte) => byte === 0xa5));
    assert.ok(buffer.subarray(-MARGIN).every((byte) => byte === 0xa5));
    const end = MARGIN - 3 + literal.length;
    assert.equal(codec.check(v, MARGIN - 3, end), true);
    assert.deepEqual(codec.parse(v, MARGIN - 3, end), codec.value);
    assert.deepEqual(codec.accessors(v, MARGIN - 3), codec.accessed);
    const parsed = codec.parse(v, MARGIN - 3, end);
    buffer.fill(0);
    assert.deepEqual(parsed, codec.value, 'the fields are copies');
  });

  test(`${codec.name}: parse(emit(x)) is x`, () => {
    fc.assert(
      fc.property(codec.arbitrary, fc.integer({ min: 0, max: 9 }), (value, at) => {
        const length = codec.length(value);
        const v = new DataView(new Uint8Array(at + length).fill(0xa5).buffer);
        codec.emit(value, v, at);
        // fast-check's records have no prototype, parsed ones have.
        assert.deepEqual(codec.parse(v, at, at + length), { ...value });
      }),
      { seed: 54, numRuns: 200 },
    );
  });

  test(`${codec.name}: random bytes never throw, and what is parsed is emitted again`, () => {
    const some = fc
      .tuple(fc.oneof(fc.integer({ min: 0, max: 200 }), fc.constant(codec.length(codec.value))), fc.boolean())
      .chain(([length, typed]) =>
        fc.uint8Array({ minLength: length, maxLength: length }).map((random) => {
          if (typed) random.set(Uint8Array.fromHex(codec.literal).subarray(0, Math.min(4, length)));
          return random;
        }),
      );
    let parsed = 0;
    fc.assert(
      fc.property(some, (random) => {
        const value = codec.parse(new DataView(random.buffer, random.byteOffset, random.length), 0, random.length);
        if (value === null) return;
        parsed++;
        const again = new Uint8Array(codec.length(value)).fill(0xa5);
        codec.emit(value, new DataView(again.buffer), 0);
        assert.deepEqual(again, random);
      }),
      { seed: 55, numRuns: 500 },
    );
    assert.ok(parsed > 20, `${parsed}`);
  });

  test(`${codec.name}: another length, type or reserved byte is refused`, () => {
    const literal = Uint8Array.fromHex(codec.literal);
    for (let length = 0; length < literal.length; length++) {
      const short = literal.slice(0, length);
      const fine = codec.name === 'data' && length >= DATA_MIN_LEN;
      assert.equal(codec.check(new DataView(short.buffer), 0, length), fine, String(length));
    }
    const longer = new Uint8Array(literal.length + 1);
    longer.set(literal);
    assert.equal(codec.check(new DataView(longer.buffer), 0, longer.length), codec.name === 'data');
    for (let i = 0; i < 4; i++) {
      const other = literal.slice();
      other[i]! ^= 0x40;
      assert.equal(codec.parse(new DataView(other.buffer), 0, other.length), null);
    }
  });
}

prove(initiation);
prove(response);
prove(cookieReply);
prove(data);

test('a field of the wrong length is a bug of ours', () => {
  const v = new DataView(new ArrayBuffer(200));
  assert.throws(() => emitInitiation({ ...initiation.value, ephemeral: run(0, 31) }, v, 0), RangeError);
  assert.throws(() => emitResponse({ ...response.value, mac2: run(0, 17) }, v, 0), RangeError);
  assert.throws(() => emitCookieReply({ ...cookieReply.value, nonce: run(0, 12) }, v, 0), RangeError);
  assert.throws(() => emitData({ ...data.value, sealed: run(0, 15) }, v, 0), RangeError);
});
