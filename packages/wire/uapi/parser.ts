/**
 * Bytes of a client in whatever pieces they come, operations out. A wrong line spoils its operation and no other: it is read to its
 * end and answered with the errno of the first wrong line.
 */
import { Errno } from './errno.ts';
import { takeSetLine } from './lines.ts';
import { emptySet, type UapiSet } from './operation.ts';

export type UapiRequest =
  | { readonly op: 'get' }
  | { readonly op: 'set'; readonly set: UapiSet }
  /** Not to be carried out. `fatal`: nothing that follows on this connection will be understood. */
  | { readonly op: 'bad'; readonly errno: Errno; readonly fatal: boolean };

export interface UapiLimits {
  /** Bytes of a line without its end. */
  readonly line: number;
  /** Bytes of an operation. */
  readonly operation: number;
}

/** The longest legal line has some 100 bytes; 32 MiB hold 100,000 peers. */
export const defaultLimits: UapiLimits = { line: 256, operation: 32 << 20 };

const NEWLINE = 0x0a;

export class UapiParser {
  readonly #limits: UapiLimits;
  readonly #line: Uint8Array;
  #lineLength = 0;
  #operationBytes = 0;
  #op: 'none' | 'get' | 'set' | 'bad' = 'none';
  #errno: Errno = Errno.none;
  #set: UapiSet = emptySet();
  #fatal = false;

  constructor(limits: UapiLimits = defaultLimits) {
    this.#limits = limits;
    this.#line = new Uint8Array(limits.line);
  }

  /** Whether an operation has been begun and not ended. */
  get pending(): boolean {
    return !this.#fatal && (this.#op !== 'none' || this.#lineLength > 0);
  }

  /** Takes bytes and adds the operations that they complete to `out`, in order. After a fatal one it takes nothing more. */
  push(bytes: Uint8Array, out: UapiRequest[]): void {
    for (let i = 0; i < bytes.length && !this.#fatal; i++) {
      const byte = bytes[i]!;
      if (++this.#operationBytes > this.#limits.operation) {
        this.#fatal = true;
        out.push({ op: 'bad', errno: Errno.tooBig, fatal: true });
        this.#begin();
      } else if (byte === NEWLINE) this.#endLine(out);
      else if (this.#lineLength < this.#limits.line) this.#line[this.#lineLength++] = byte;
      else this.#spoil(Errno.tooBig);
    }
  }

  #endLine(out: UapiRequest[]): void {
    const length = this.#lineLength;
    this.#lineLength = 0;
    if (length === 0) {
      out.push(this.#finished());
      this.#begin();
      return;
    }
    // A key may have lain there.
    const text = this.#text(length);
    this.#line.fill(0, 0, length);
    if (text === null) this.#spoil(Errno.inval);
    else if (this.#errno === Errno.none) this.#takeLine(text);
  }

  #takeLine(line: string): void {
    if (this.#op === 'none') {
      if (line === 'get=1') this.#op = 'get';
      else if (line === 'set=1') this.#op = 'set';
      else this.#spoil(Errno.proto);
      return;
    }
    const cut = line.indexOf('=');
    if (cut < 0) this.#spoil(Errno.proto);
    else if (this.#op === 'get') this.#spoil(Errno.inval);
    else this.#spoil(takeSetLine(this.#set, line.slice(0, cut), line.slice(cut + 1)));
  }

  #spoil(errno: Errno): void {
    if (errno === Errno.none || this.#errno !== Errno.none) return;
    this.#errno = errno;
    this.#op = 'bad';
  }

  #finished(): UapiRequest {
    if (this.#errno !== Errno.none) return { op: 'bad', errno: this.#errno, fatal: false };
    if (this.#op === 'get') return { op: 'get' };
    if (this.#op === 'set') return { op: 'set', set: this.#set };
    return { op: 'bad', errno: Errno.proto, fatal: false };
  }

  #begin(): void {
    this.#op = 'none';
    this.#errno = Errno.none;
    this.#operationBytes = 0;
    this.#lineLength = 0;
    this.#set = emptySet();
  }

  /** Printable ASCII; null when it is anything else. */
  #text(length: number): string | null {
    let text = '';
    for (let i = 0; i < length; i++) {
      const byte = this.#line[i]!;
      if (byte < 0x20 || byte > 0x7e) return null;
      text += String.fromCharCode(byte);
    }
    return text;
  }
}
