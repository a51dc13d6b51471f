/**
 * TransportCipher through the OpenSSL inside the node binary: EVP calls on native addresses, one context per key, nothing allocated
 * per packet. First read EVP_EncryptInit(3), the part on AEAD ciphers. A context belongs to one thread, as its session does.
 */
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';
import { checkKey, checkRoom, KEY_LEN, NONCE_LEN, TAG_LEN, type TransportCipher } from './shape.ts';

/** openssl/evp.h */
const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;

type Init = (context: number, cipher: number, engine: number, key: number, nonce: number) => number;
type Update = (context: number, out: number, outLength: number, input: number, inputLength: number) => number;
type Final = (context: number, out: number, outLength: number) => number;

interface Evp {
  EVP_CIPHER_CTX_new(): number;
  EVP_CIPHER_CTX_free(context: number): void;
  EVP_CIPHER_CTX_ctrl(context: number, what: number, length: number, pointer: number): number;
  EVP_chacha20_poly1305(): number;
  EVP_EncryptInit_ex: Init;
  EVP_EncryptUpdate: Update;
  EVP_EncryptFinal_ex: Final;
  EVP_DecryptInit_ex: Init;
  EVP_DecryptUpdate: Update;
  EVP_DecryptFinal_ex: Final;
}

const P = 'uint64_t';

/** What all ciphers of a thread share: the functions, and a scratch for nonce, output length and the key on its way in. */
export class OpenSsl {
  readonly evp: Evp;
  readonly addresses: AddressBook;
  readonly algorithm: number;
  readonly #scratch = new ArrayBuffer(128);
  readonly nonce = new DataView(this.#scratch, 0, NONCE_LEN);
  readonly key = new Uint8Array(this.#scratch, 32, KEY_LEN);
  readonly nonceAt: number;
  readonly keyAt: number;
  readonly outLengthAt: number;
  /** Where a Final may write; ChaCha20 is a stream, so it writes nothing. */
  readonly restAt: number;
  /** Contexts of ciphers that were dropped without destroy(). */
  readonly strays: FinalizationRegistry<number>;

  constructor(native: Native, evp: Evp, algorithm: number) {
    this.evp = evp;
    this.algorithm = algorithm;
    this.addresses = new AddressBook(native);
    const base = this.addresses.of(this.#scratch);
    this.nonceAt = base;
    this.outLengthAt = base + 16;
    this.keyAt = base + 32;
    this.restAt = base + 64;
    this.strays = new FinalizationRegistry((context) => evp.EVP_CIPHER_CTX_free(context));
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
    EVP_CIPHER_CTX_ctrl: ['int', [P, 'int', 'int', P]],
    EVP_chacha20_poly1305: [P, []],
    EVP_EncryptInit_ex: init,
    EVP_EncryptUpdate: update,
    EVP_EncryptFinal_ex: final,
    EVP_DecryptInit_ex: init,
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
    const done = ssl.evp.EVP_EncryptInit_ex(this.#context, ssl.algorithm, 0, ssl.keyAt, ssl.nonceAt);
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
    const from = ssl.addresses.of(buffer.buffer) + buffer.byteOffset + at;
    let good = evp.EVP_EncryptInit_ex(context, 0, 0, 0, ssl.nonceAt);
    if (length > 0) good &= evp.EVP_EncryptUpdate(context, from, ssl.outLengthAt, from, length);
    good &= evp.EVP_EncryptFinal_ex(context, ssl.restAt, ssl.outLengthAt);
    good &= evp.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, from + length);
    // Sending on after a failure could put plaintext on the wire.
    if (good !== 1) throw new Error('OpenSSL failed to seal');
  }

  open(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): boolean {
    checkRoom(buffer, at, length);
    const context = this.#ready(counterLow, counterHigh);
    const ssl = this.#ssl;
    const evp = this.#evp;
    const from = ssl.addresses.of(buffer.buffer) + buffer.byteOffset + at;
    let good = evp.EVP_DecryptInit_ex(context, 0, 0, 0, ssl.nonceAt);
    good &= evp.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, from + length);
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
