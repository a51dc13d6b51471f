/**
 * TransportCipher out of the two primitives below OpenSSL's EVP: ChaCha20_ctr32 and Poly1305_* (include/crypto/chacha.h and poly1305.h of
 * OpenSSL 3). First read RFC 8439 section 2.8. EVP spends about half of a packet's time between its own layers and makes the one-time
 * key with a pass of ChaCha20 of its own; here one pass does both, since the key is block 0 and the packet begins with block 1:
 *
 *     in:   64 zeros              | text
 *     out:  one-time key | unused | the other text
 *     tag:  Poly1305 over           ciphertext | zeros to the next 16 | 0 (64 bits) | length (64 bits)
 *
 * * The node binary exports these functions, but nobody promises them. So `loadDirect` believes them only under the major version whose
 * sources were read, and only after EVP has opened what they sealed. All work is done in a scratch: nothing outside of the packet is touched.
 */
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';
import { loadOpenSsl, type OpenSsl, OpenSslCipher } from './openssl.ts';
import { checkKey, checkRoom, KEY_LEN, TAG_LEN, type TransportCipher } from './shape.ts';

const OPENSSL_MAJOR = '3.';
/** What a packet may have: the longest UDP datagram. */
const TEXT_ROOM = 65_536;
const BLOCK = 64;
/** struct poly1305_context is 248 bytes; vector code likes it aligned. */
const CONTEXT_ROOM = 512;

/** The scratch. Each text has room for zeros up to the next 16 and for the lengths. */
const COUNTER_AT = 0;
const TAG_AT = 16;
const CONTEXT_AT = 64;
const IN_AT = CONTEXT_AT + CONTEXT_ROOM;
const OUT_AT = IN_AT + BLOCK + TEXT_ROOM + 32;
const SCRATCH_LEN = OUT_AT + BLOCK + TEXT_ROOM + 32;

interface Primitives {
  /** `key` and `counter` are words of the host; the first of the counter's four counts blocks, the others are the nonce. */
  ChaCha20_ctr32(out: number, input: number, length: number, key: number, counter: number): void;
  Poly1305_ctx_size(): number;
  Poly1305_Init(context: number, key: number): void;
  Poly1305_Update(context: number, input: number, length: number): void;
  Poly1305_Final(context: number, tag: number): void;
  memcpy(to: number, from: number, length: number): void;
}

const P = 'uint64_t';

/** What all ciphers of a thread share. */
export class Direct {
  readonly calls: Primitives;
  readonly addresses: AddressBook;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly at: number;

  constructor(native: Native, calls: Primitives) {
    const scratch = new ArrayBuffer(SCRATCH_LEN);
    this.calls = calls;
    this.addresses = new AddressBook(native);
    this.words = new Int32Array(scratch);
    this.bytes = new Uint8Array(scratch);
    this.at = this.addresses.of(scratch);
  }

  /**
   * ChaCha20 of block 0 and the text in `IN_AT`, into `OUT_AT`, then the tag of what lies at `sealedAt`, one of these two, to `tagTo`.
   */
  run(length: number, key: number, counterLow: number, counterHigh: number, sealedAt: number, tagTo: number): void {
    const { calls, words, bytes, at } = this;
    words[COUNTER_AT / 4] = 0;
    words[COUNTER_AT / 4 + 1] = 0;
    words[COUNTER_AT / 4 + 2] = counterLow;
    words[COUNTER_AT / 4 + 3] = counterHigh;
    calls.ChaCha20_ctr32(at + OUT_AT, at + IN_AT, BLOCK + length, key, at + COUNTER_AT);
    const text = sealedAt + BLOCK;
    const padded = (length + 15) & ~15;
    for (let i = length; i < padded; i++) bytes[text + i] = 0;
    const lengths = (text + padded) >> 2;
    words[lengths] = 0;
    words[lengths + 1] = 0;
    words[lengths + 2] = length;
    words[lengths + 3] = 0;
    calls.Poly1305_Init(at + CONTEXT_AT, at + OUT_AT);
    calls.Poly1305_Update(at + CONTEXT_AT, at + text, padded + 16);
    calls.Poly1305_Final(at + CONTEXT_AT, tagTo);
  }
}

const memo: { direct?: Direct | null } = {};

/** The primitives, or null where the node binary hides them or they are not what we know. Asked for once per thread. */
export function loadDirect(): Direct | null {
  if (memo.direct === undefined) memo.direct = find();
  return memo.direct;
}

function find(): Direct | null {
  // The lengths and counters are written as words, the least first.
  const littleEndian = process.arch === 'x64' || process.arch === 'arm64';
  const native = loadNative();
  const ssl = loadOpenSsl();
  if (native === null || ssl === null || !littleEndian || !process.versions.openssl?.startsWith(OPENSSL_MAJOR))
    return null;
  const calls = loadFunctions<Primitives>(native.self, {
    ChaCha20_ctr32: ['void', [P, P, 'size_t', P, P]],
    Poly1305_ctx_size: ['size_t', []],
    Poly1305_Init: ['void', [P, P]],
    Poly1305_Update: ['void', [P, P, 'size_t']],
    Poly1305_Final: ['void', [P, P]],
    memcpy: ['void', [P, P, 'size_t']],
  });
  if (calls === null || Number(calls.Poly1305_ctx_size()) > CONTEXT_ROOM) return null;
  const direct = new Direct(native, calls);
  return agrees(direct, ssl) ? direct : null;
}

/** Lengths that take each of the ways in OpenSSL's assembly: nothing, one block, some, many, and not a multiple of anything. */
const TRIED = [0, 16, 64, 100, 300, 1000, 1420, 4099] as const;

/** Whether it seals what EVP opens, opens what EVP seals, and refuses what has been changed. */
function agrees(direct: Direct, ssl: OpenSsl): boolean {
  const key = Uint8Array.from({ length: KEY_LEN }, (_, i) => 7 * i + 1);
  const ciphers = [new DirectCipher(direct, key), new OpenSslCipher(ssl, key)] as const;
  const good = TRIED.every((length) => {
    const text = Uint8Array.from({ length: length + TAG_LEN }, (_, i) => (i < length ? 3 * i : 0));
    return ciphers.every((sealer, i) => {
      const packet = text.slice();
      sealer.seal(packet, 0, length, 0xfedc_ba98, 0x7654_3210);
      const sealed = packet.slice();
      if (!ciphers[1 - i]!.open(packet, 0, length, 0xfedc_ba98, 0x7654_3210)) return false;
      sealed[length] = sealed[length]! ^ 1;
      return (
        text.every((byte, at) => at >= length || byte === packet[at]) &&
        !ciphers[0].open(sealed, 0, length, 0xfedc_ba98, 0x7654_3210)
      );
    });
  });
  for (const cipher of ciphers) cipher.destroy();
  return good;
}

export class DirectCipher implements TransportCipher {
  readonly #direct: Direct;
  /** The key. A buffer of its own, since the memory of small typed arrays may move. Empty after destroy(). */
  readonly #key: Uint8Array;
  #keyAt: number;

  constructor(direct: Direct, key: Uint8Array) {
    checkKey(key);
    this.#direct = direct;
    const buffer = new ArrayBuffer(KEY_LEN);
    this.#key = new Uint8Array(buffer);
    this.#key.set(key);
    this.#keyAt = direct.addresses.of(buffer);
  }

  seal(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): void {
    const from = this.#ready(buffer, at, length);
    const { calls, at: scratch } = this.#direct;
    calls.memcpy(scratch + IN_AT + BLOCK, from, length);
    this.#direct.run(length, this.#keyAt, counterLow, counterHigh, OUT_AT, from + length);
    calls.memcpy(from, scratch + OUT_AT + BLOCK, length);
  }

  open(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): boolean {
    const from = this.#ready(buffer, at, length);
    const { calls, bytes, at: scratch } = this.#direct;
    calls.memcpy(scratch + IN_AT + BLOCK, from, length);
    this.#direct.run(length, this.#keyAt, counterLow, counterHigh, IN_AT, scratch + TAG_AT);
    let differs = 0;
    for (let i = 0; i < TAG_LEN; i++) differs |= bytes[TAG_AT + i]! ^ buffer[at + length + i]!;
    if (differs !== 0) return false;
    calls.memcpy(from, scratch + OUT_AT + BLOCK, length);
    return true;
  }

  /** Erases the key. */
  destroy(): void {
    this.#key.fill(0);
    this.#keyAt = 0;
  }

  /** The address of the packet. Throws after destroy(), and for what is longer than any datagram. */
  #ready(buffer: Uint8Array, at: number, length: number): number {
    if (this.#keyAt === 0) throw new Error('the cipher has been destroyed');
    checkRoom(buffer, at, length);
    if (length > TEXT_ROOM) throw new RangeError(`${length} bytes are more than a datagram`);
    return this.#direct.addresses.ofView(buffer) + at;
  }
}
