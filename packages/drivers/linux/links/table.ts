/** The kernel's links as far as we have seen them: by number, by name, and by the name that an object has. A cache: `load` reads it anew. */
import type { Conversation } from '../netlink/conversation.ts';
import { askLinks, type LinkRow, parseLink } from '../netlink/link.ts';
import { Errno } from '../netlink/refusal.ts';
import { type Mark, markOf } from './mark.ts';

export class LinkTable {
  readonly #kernel: Conversation;
  readonly #adopted: (device: string) => string | null;
  #byIndex = new Map<number, LinkRow>();
  #byDevice = new Map<string, LinkRow>();
  /** By the name of the object. */
  #ours = new Map<string, LinkRow>();
  /** Names of our VRFs by the numbers of their tables. */
  #tables = new Map<number, string>();

  /** `adopted`: the name that the ledger has of an interface of the host; null when it is none of ours. */
  constructor(kernel: Conversation, adopted: (device: string) => string | null) {
    this.#kernel = kernel;
    this.#adopted = adopted;
  }

  async load(): Promise<void> {
    const rows = await this.#kernel.dump(askLinks(), 'links', parseLink);
    this.#byIndex = new Map();
    this.#byDevice = new Map();
    this.#ours = new Map();
    this.#tables = new Map();
    for (const row of rows) this.put(row);
  }

  /** Asks the kernel for one. Null: there is none of that name. */
  async look(device: string): Promise<LinkRow | null> {
    const row = await this.#kernel.get(askLinks(device), device, parseLink, [Errno.ENODEV]);
    const before = this.#byDevice.get(device);
    if (before !== undefined) this.remove(before.index);
    if (row !== null) this.put(row);
    return row;
  }

  put(row: LinkRow): void {
    this.remove(row.index);
    this.#byIndex.set(row.index, row);
    this.#byDevice.set(row.name, row);
    const name = this.nameOf(row);
    if (name === null) return;
    this.#ours.set(name, row);
    if (row.table !== null) this.#tables.set(row.table, name);
  }

  remove(index: number): void {
    const row = this.#byIndex.get(index);
    if (row === undefined) return;
    this.#byIndex.delete(index);
    if (this.#byDevice.get(row.name)?.index === index) this.#byDevice.delete(row.name);
    const name = this.nameOf(row);
    if (name !== null && this.#ours.get(name)?.index === index) this.#ours.delete(name);
    if (row.table !== null && this.#tables.get(row.table) === name) this.#tables.delete(row.table);
  }

  /** The link of an object; undefined when there is none, or none of ours. */
  of(link: string): LinkRow | undefined {
    return this.#ours.get(link);
  }

  /** The VRF of ours that has this table; null: none. */
  vrfOf(table: number): string | null {
    return this.#tables.get(table) ?? null;
  }

  device(name: string): LinkRow | undefined {
    return this.#byDevice.get(name);
  }

  at(index: number): LinkRow | undefined {
    return this.#byIndex.get(index);
  }

  /** The name of the object that a link is; null when it is somebody else's. */
  nameOf(row: LinkRow): string | null {
    return this.markOf(row)?.link ?? this.#adopted(row.name);
  }

  markOf(row: LinkRow): Mark | null {
    return markOf(row);
  }

  ours(): IterableIterator<[string, LinkRow]> {
    return this.#ours.entries();
  }
}
