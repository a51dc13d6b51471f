/**
 * People in line for things that one alone can have: for each name, who wants it, the eldest first. Nearly every line is one long,
 * so a line of one is kept without a list.
 */
export interface Aged {
  /** Order of arrival; unique. */
  readonly age: number;
}

export class Lines<K, T extends Aged> {
  readonly #lines = new Map<K, T | T[]>();

  get size(): number {
    return this.#lines.size;
  }

  /** The one who has it. */
  first(name: K): T | undefined {
    const line = this.#lines.get(name);
    return Array.isArray(line) ? line[0] : line;
  }

  /** Everyone in line, the holder first. */
  all(name: K): readonly T[] {
    const line = this.#lines.get(name);
    if (line === undefined) return [];
    return Array.isArray(line) ? line : [line];
  }

  /** Puts `who` in line by age. Who already stands there is replaced by `who` (same age, same person). */
  join(name: K, who: T): void {
    const line = this.#lines.get(name);
    if (line === undefined || (!Array.isArray(line) && line.age === who.age)) {
      this.#lines.set(name, who);
      return;
    }
    const list = Array.isArray(line) ? line : [line];
    let at = list.length;
    while (at > 0 && list[at - 1]!.age > who.age) at--;
    if (at > 0 && list[at - 1]!.age === who.age) list[at - 1] = who;
    else list.splice(at, 0, who);
    this.#lines.set(name, list);
  }

  leave(name: K, age: number): void {
    const line = this.#lines.get(name);
    if (line === undefined) return;
    const list = Array.isArray(line) ? line : [line];
    const at = list.findIndex((who) => who.age === age);
    if (at < 0) return;
    if (list.length === 1) this.#lines.delete(name);
    else {
      list.splice(at, 1);
      if (list.length === 1) this.#lines.set(name, list[0]!);
    }
  }

  keys(): IterableIterator<K> {
    return this.#lines.keys();
  }
}
