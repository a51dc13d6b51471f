/**
 * What a route leads to, as a small integer: tables of prefixes hold these numbers, so a hundred thousand routes over one link share
 * one row here. Rows are counted and reused. Row 0 means "no route".
 */
import { parseIp } from '@vrouter/core/ip.ts';

export const AdjacencyKind = { none: 0, local: 1, blackhole: 2, link: 3 } as const;
export type AdjacencyKind = (typeof AdjacencyKind)[keyof typeof AdjacencyKind];

/** Room of a next hop in `hop`. */
export const HOP_BYTES = 16;

export class AdjacencyTable {
  kind: Uint8Array;
  /** Index of the link, for kind `link`. */
  link: Int32Array;
  /** Bytes of the next hop's address, 0 when the link itself is the way, and the address at 16 times the row. */
  hopBytes: Uint8Array;
  hopView: DataView;
  readonly #users: number[];
  readonly #free: number[];
  readonly #byKey: Map<string, number>;
  readonly #key: string[];

  constructor() {
    this.kind = new Uint8Array(16);
    this.link = new Int32Array(16);
    this.hopBytes = new Uint8Array(16);
    this.hopView = new DataView(new ArrayBuffer(16 * HOP_BYTES));
    this.#users = [1];
    this.#free = [];
    this.#byKey = new Map();
    this.#key = [''];
  }

  /** The row for this way out, made if need be; one `release` is owed for each call. `nextHop` tells rows of a link apart. */
  obtain(kind: AdjacencyKind, link: number, nextHop: string | null): number {
    const key = `${kind} ${link} ${nextHop ?? ''}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      this.#users[known] = this.#users[known]! + 1;
      return known;
    }
    const index = this.#free.pop() ?? this.#users.length;
    if (index === this.kind.length) this.#grow();
    this.kind[index] = kind;
    this.link[index] = link;
    this.#setHop(index, nextHop);
    this.#users[index] = 1;
    this.#key[index] = key;
    this.#byKey.set(key, index);
    return index;
  }

  /** The router that a row of kind `link` names; null when the link itself is the way. */
  nextHop(index: number): string | null {
    const [, , nextHop = ''] = this.#key[index]?.split(' ') ?? [];
    return nextHop === '' ? null : nextHop;
  }

  release(index: number): void {
    const users = this.#users[index]! - 1;
    this.#users[index] = users;
    if (users > 0) return;
    this.kind[index] = AdjacencyKind.none;
    this.#byKey.delete(this.#key[index]!);
    this.#free.push(index);
  }

  #setHop(index: number, nextHop: string | null): void {
    const parsed = nextHop === null ? null : parseIp(nextHop);
    const address = parsed?.ok === true ? parsed.value : new Uint8Array(0);
    this.hopBytes[index] = address.length;
    new Uint8Array(this.hopView.buffer).set(address, index * HOP_BYTES);
  }

  #grow(): void {
    const hopBytes = new Uint8Array(2 * this.hopBytes.length);
    hopBytes.set(this.hopBytes);
    this.hopBytes = hopBytes;
    const hops = new Uint8Array(2 * this.hopView.byteLength);
    hops.set(new Uint8Array(this.hopView.buffer));
    this.hopView = new DataView(hops.buffer);
    const kind = new Uint8Array(2 * this.kind.length);
    kind.set(this.kind);
    this.kind = kind;
    const link = new Int32Array(2 * this.link.length);
    link.set(this.link);
    this.link = link;
  }
}
