/**
 * TransportCipher through the OpenSSL inside the node binary: EVP calls on native addresses, one context per key, nothing allocated
 * per packet. First read EVP_EncryptInit(3), the part on AEAD ciphers, and OSSL_PARAM(3). A context belongs to one thread, as its
 * session does.
 *
 * A call costs some 40 ns before OpenSSL does anything, and EVP_CIPHER_CTX_ctrl as much again to make an OSSL_PARAM of what it is
 * told. So one OSSL_PARAM, the tag's, is written once and pointed at the packet: opening takes three calls, sealing four.
 */
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';
import { checkKey, checkRoom, KEY_LEN, NONCE_LEN, TAG_LEN, type TransportCipher } from './shape.ts';

/** openssl/core.h: OSSL_PARAM_OCTET_STRING. */
const OCTET_STRING = 5;
/** Where things lie in the scratch: struct ossl_param_st (openssl/core.h) of 64-bit machines, and an empty one, which ends the list. */
const OUT_LENGTH_AT = 16;
const KEY_AT = 32;
const REST_AT = 64;
const TAG_NAME_AT = 80;
const PARAM_AT = 96;
const PARAM_TYPE = 8;
const PARAM_DATA = 16;
const PARAM_SIZE = 24;
const SCRATCH_LEN = PARAM_AT + 2 * 40;

type Init = (context: number, cipher: number, key: number, nonce: number, params: number) => number;
type Update = (context: number, out: number, outLength: number, input: number, inputLength: number) => number;
type Final = (context: number, out: number, outLength: number) => number;

interface Evp {
  EVP_CIPHER_CTX_new(): number;
  EVP_CIPHER_CTX_free(context: number): void;
  EVP_CIPHER_CTX_get_params(context: number, params: number): number;
  EVP_chacha20_poly1305(): number;
  EVP_EncryptInit_ex2: Init;
  EVP_EncryptUpdate: Update;
  EVP_EncryptFinal_ex: Final;
  EVP_DecryptInit_ex2: Init;
  EVP_DecryptUpdate: Update;
  EVP_DecryptFinal_ex: Final;
}

const P = 'uint64_t';

/** What all ciphers of a thread share: the functions, and a scratch for nonce, output length, the key on its way in and the tag's parameter. */
export class OpenSsl {
  readonly evp: Evp;
  readonly addresses: AddressBook;
  readonly algorithm: number;
  readonly #scratch = new ArrayBuffer(SCRATCH_LEN);
  readonly #words = new Uint32Array(this.#scratch);
  readonly nonce = new DataView(this.#scratch, 0, NONCE_LEN);
  readonly key = new Uint8Array(this.#scratch, KEY_AT, KEY_LEN);
  readonly nonceAt: number;
  readonly keyAt: number;
  readonly outLengthAt: number;
  /** Where a Final may write; ChaCha20 is a stream, so it writes nothing. */
  readonly restAt: number;
  /** A list of parameters of one, the tag; it lies wherever `tagLiesAt` said last. */
  readonly tagParamAt: number;
  /** Contexts of ciphers that were dropped without destroy(). */
  readonly strays: FinalizationRegistry<number>;

  constructor(native: Native, evp: Evp, algorithm: number) {
    this.evp = evp;
    this.algorithm = algorithm;
    this.addresses = new AddressBook(native);
    const base = this.addresses.of(this.#scratch);
    this.nonceAt = base;
    this.outLengthAt = base + OUT_LENGTH_AT;
    this.keyAt = base + KEY_AT;
    this.restAt = base + REST_AT;
    this.tagParamAt = base + PARAM_AT;
    const view = new DataView(this.#scratch);
    // The string "tag" (OSSL_CIPHER_PARAM_AEAD_TAG of openssl/core_names.h) with its final zero.
    new TextEncoder().encodeInto('tag', new Uint8Array(this.#scratch, TAG_NAME_AT, 4));
    view.setBigUint64(PARAM_AT, BigInt(base + TAG_NAME_AT), true);
    view.setUint32(PARAM_AT + PARAM_TYPE, OCTET_STRING, true);
    view.setBigUint64(PARAM_AT + PARAM_SIZE, BigInt(TAG_LEN), true);
    this.strays = new FinalizationRegistry((context) => evp.EVP_CIPHER_CTX_free(context));
  }

  /** From here OpenSSL reads the tag, or writes it to here. */
  tagLiesAt(address: number): void {
    this.#words[(PARAM_AT + PARAM_DATA) / 4] = address;
    this.#words[(PARAM_AT + PARAM_DATA) / 4 + 1] = address / 0x1_0000_0000;
  }
}

const memo: { openSsl?: OpenSsl | null } = {};

/** OpenSSL by its own functions, or null where the node binary hides them. Asked for once per thread. */
export function loadOpenSsl(): OpenSsl | null {
  if (memo.openSsl === undefined) memo.openSsl = find();
  return memo.openSsl;
}

function find(): OpenSsl | null {
  const native = loadNative();
  if (native === null) return null;
  const init = ['int', [P, P, P, P, P]] as const;
  const update = ['int', [P, P, P, P, 'int']] as const;
  const final = ['int', [P, P, P]] as const;
  const evp = loadFunctions<Evp>(native.self, {
    EVP_CIPHER_CTX_new: [P, []],
    EVP_CIPHER_CTX_free: ['void', [P]],
    EVP_CIPHER_CTX_get_params: ['int', [P, P]],
    EVP_chacha20_poly1305: [P, []],
    EVP_EncryptInit_ex2: init,
    EVP_EncryptUpdate: update,
    EVP_EncryptFinal_ex: final,
    EVP_DecryptInit_ex2: init,
    EVP_DecryptUpdate: update,
    EVP_DecryptFinal_ex: final,
  });
  if (evp === null) return null;
  const algorithm = Number(evp.EVP_chacha20_poly1305());
  return algorithm === 0 ? null : new OpenSsl(native, evp, algorithm);
}

export class OpenSslCipher implements TransportCipher {
  readonly #ssl: OpenSsl;
  readonly #evp: Evp;
  /** EVP_CIPHER_CTX with the key inside; it serves both directions, since ChaCha20 has one key schedule. 0 = destroyed. */
  #context: number;

  constructor(ssl: OpenSsl, key: Uint8Array) {
    checkKey(key);
    this.#ssl = ssl;
    this.#evp = ssl.evp;
    this.#context = Number(ssl.evp.EVP_CIPHER_CTX_new());
    if (this.#context === 0) throw new Error('OpenSSL has no memory for a cipher');
    ssl.key.set(key);
    const done = ssl.evp.EVP_EncryptInit_ex2(this.#context, ssl.algorithm, ssl.keyAt, ssl.nonceAt, 0);
    ssl.key.fill(0);
    if (done !== 1) {
      ssl.evp.EVP_CIPHER_CTX_free(this.#context);
      throw new Error('OpenSSL refuses ChaCha20-Poly1305');
    }
    ssl.strays.register(this, this.#context, this);
  }

  seal(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): void {
    checkRoom(buffer, at, length);
    const context = this.#ready(counterLow, counterHigh);
    const ssl = this.#ssl;
    const evp = this.#evp;
    const from = ssl.addresses.ofView(buffer) + at;
    let good = evp.EVP_EncryptInit_ex2(context, 0, 0, ssl.nonceAt, 0);
    if (length > 0) good &= evp.EVP_EncryptUpdate(context, from, ssl.outLengthAt, from, length);
    good &= evp.EVP_EncryptFinal_ex(context, ssl.restAt, ssl.outLengthAt);
    ssl.tagLiesAt(from + length);
    good &= evp.EVP_CIPHER_CTX_get_params(context, ssl.tagParamAt);
    // Sending on after a failure could put plaintext on the wire.
    if (good !== 1) throw new Error('OpenSSL failed to seal');
  }

  open(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): boolean {
    checkRoom(buffer, at, length);
    const context = this.#ready(counterLow, counterHigh);
    const ssl = this.#ssl;
    const evp = this.#evp;
    const from = ssl.addresses.ofView(buffer) + at;
    ssl.tagLiesAt(from + length);
    let good = evp.EVP_DecryptInit_ex2(context, 0, 0, ssl.nonceAt, ssl.tagParamAt);
    if (length > 0) good &= evp.EVP_DecryptUpdate(context, from, ssl.outLengthAt, from, length);
    // Final is what compares the tag; 0 or negative when it differs.
    return good === 1 && evp.EVP_DecryptFinal_ex(context, ssl.restAt, ssl.outLengthAt) === 1;
  }

  /** Frees the context; OpenSSL wipes the key in it. */
  destroy(): void {
    if (this.#context === 0) return;
    this.#ssl.strays.unregister(this);
    this.#evp.EVP_CIPHER_CTX_free(this.#context);
    this.#context = 0;
  }

  /** Sets the nonce. Throws after destroy(): the native side would read freed memory. */
  #ready(counterLow: number, counterHigh: number): number {
    if (this.#context === 0) throw new Error('the cipher has been destroyed');
    this.#ssl.nonce.setUint32(4, counterLow, true);
    this.#ssl.nonce.setUint32(8, counterHigh, true);
    return this.#context;
  }
}
