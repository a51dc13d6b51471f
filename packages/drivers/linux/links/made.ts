/**
 * Which links are ours when they do not show it: somebody may wipe an alias, and what an older router left never had one. A link is known by
 * its name and by its number, which the kernel gives no other link before the machine starts anew. In the ledger, with that:
 * `made/LINK` is one of ours, `leftover/DEVICE` somebody's that may become ours when it is asked for.
 */
import type { Ledger } from '../ledger.ts';
import { type Mark, markText, parseMark } from './mark.ts';

const MADE = 'made/';
const LEFTOVER = 'leftover/';

export interface NumberedLink {
  readonly name: string;
  readonly index: number;
}

interface Entry {
  /** The start of the machine in which it was seen. */
  readonly boot: string;
  readonly index: number;
  readonly device: string;
  /** As its alias has it; empty of a leftover. */
  readonly mark: string;
}

export class MadeLinks {
  readonly #ledger: Ledger;
  readonly #boot: string;
  /** By the names of their objects. */
  readonly #made = new Map<string, Entry>();
  readonly #byIndex = new Map<number, Entry>();
  /** By their own names. */
  readonly #offered = new Map<string, Entry>();

  /** `boot`: another text after each start of the machine. Throws ProblemError. */
  constructor(ledger: Ledger, boot: string) {
    this.#ledger = ledger;
    this.#boot = boot;
    for (const beginning of [MADE, LEFTOVER])
      for (const [key, text] of ledger.entries(beginning)) {
        const entry = JSON.parse(text) as Entry;
        const name = key.slice(beginning.length);
        if (entry.boot !== boot) ledger.delete(key);
        else if (beginning === LEFTOVER) this.#offered.set(name, entry);
        else this.#put(name, entry);
      }
  }

  /** The mark that a link of ours was given; null: it is none of ours. */
  markOf({ name, index }: NumberedLink): Mark | null {
    const entry = this.#byIndex.get(index);
    return entry?.device === name ? parseMark(entry.mark) : null;
  }

  /** It is ours from now on. Throws ProblemError. */
  note({ name, index }: NumberedLink, mark: Mark): void {
    const entry = this.#entry(name, index, markText(mark));
    const before = this.#made.get(mark.link);
    if (JSON.stringify(before) === JSON.stringify(entry)) return;
    this.#ledger.set(MADE + mark.link, JSON.stringify(entry));
    if (before !== undefined) this.#byIndex.delete(before.index);
    this.#put(mark.link, entry);
    this.withdraw(name);
  }

  /** The link of an object is gone, or nobody's any more. */
  forget(link: string): void {
    const entry = this.#made.get(link);
    if (entry === undefined) return;
    this.#ledger.delete(MADE + link);
    this.#made.delete(link);
    this.#byIndex.delete(entry.index);
  }

  /** A link of somebody else may be taken when one of its kind and name is asked for. Throws ProblemError. */
  offer({ name, index }: NumberedLink): void {
    const entry = this.#entry(name, index, '');
    this.#ledger.set(LEFTOVER + name, JSON.stringify(entry));
    this.#offered.set(name, entry);
  }

  withdraw(device: string): void {
    if (this.#offered.delete(device)) this.#ledger.delete(LEFTOVER + device);
  }

  isOffered({ name, index }: NumberedLink): boolean {
    return this.#offered.get(name)?.index === index;
  }

  #entry(device: string, index: number, mark: string): Entry {
    return { boot: this.#boot, index, device, mark };
  }

  #put(link: string, entry: Entry): void {
    this.#made.set(link, entry);
    this.#byIndex.set(entry.index, entry);
  }
}
