/**
 * What a route leads to, as a small integer: tables of prefixes hold these numbers, so a hundred thousand routes over one link share
 * one row here. Rows are counted and reused. Row 0 means "no route".
 */
export const AdjacencyKind = { none: 0, local: 1, blackhole: 2, link: 3 } as const;
export type AdjacencyKind = (typeof AdjacencyKind)[keyof typeof AdjacencyKind];

export class AdjacencyTable {
  kind: Uint8Array;
  /** Index of the link, for kind `link`. */
  link: Int32Array;
  readonly #users: number[];
  readonly #free: number[];
  readonly #byKey: Map<string, number>;
  readonly #key: string[];

  constructor() {
    this.kind = new Uint8Array(16);
    this.link = new Int32Array(16);
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

  #grow(): void {
    const kind = new Uint8Array(2 * this.kind.length);
    kind.set(this.kind);
    this.kind = kind;
    const link = new Int32Array(2 * this.link.length);
    link.set(this.link);
    this.link = link;
  }
}
