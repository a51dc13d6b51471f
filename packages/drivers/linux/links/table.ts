/** The kernel's links as far as we have seen them: by number, by name, and by the name that an object has. A cache: `load` reads it anew. */
import type { Conversation } from '../netlink/conversation.ts';
import { askLinks, type LinkRow, parseLink } from '../netlink/link.ts';
import { Errno } from '../netlink/refusal.ts';
import { type Mark, markOf, parseMark } from './mark.ts';

/** Between a port's leaving a bridge and the bridge's end, when the one comes of the other, ms: some waits of the kernel's for its readers. */
const SAME_MOMENT_MS = 1000;

/** What the ledger has of links. */
export interface KnownLinks {
  /** The name that an interface of the host has among us; null when it is none of ours. */
  adopted(device: string): string | null;
  /** The mark of a link that we have made; null when it is none. */
  made(row: LinkRow): Mark | null;
  /** It is somebody else's, and may become ours. */
  offered(row: LinkRow): boolean;
}

export class LinkTable {
  readonly #kernel: Conversation;
  readonly #known: KnownLinks;
  #byIndex = new Map<number, LinkRow>();
  #byDevice = new Map<string, LinkRow>();
  /** By the name of the object. */
  #ours = new Map<string, LinkRow>();
  /** Names of our VRFs by the numbers of their tables. */
  #tables = new Map<number, string>();
  /** Numbers of those that we take away, until the kernel's own news of that have come. */
  readonly #leaving = new Set<number>();
  /** By the number of a link that was in a bridge of ours: the bridge, and when it left. */
  readonly #left = new Map<number, { readonly bridge: string; readonly atMs: number }>();
  /** Ports that left a bridge of ours with its end. */
  readonly #lost = new Map<string, readonly number[]>();

  constructor(kernel: Conversation, known: KnownLinks) {
    this.#kernel = kernel;
    this.#known = known;
  }

  async load(): Promise<void> {
    const rows = await this.#kernel.dump(askLinks(), 'links', parseLink);
    const there = new Set(rows.map(({ index }) => index));
    for (const row of rows) this.#noteLeaving(row);
    for (const index of [...this.#byIndex.keys()]) if (!there.has(index)) this.remove(index);
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
    if (before !== undefined && before.index !== row?.index) this.remove(before.index);
    if (row !== null) this.put(row);
    return row;
  }

  put(row: LinkRow): void {
    this.#noteLeaving(row);
    this.#forget(row.index);
    this.#byIndex.set(row.index, row);
    this.#byDevice.set(row.name, row);
    const name = this.nameOf(row);
    if (name === null) return;
    this.#ours.set(name, row);
    if (row.table !== null) this.#tables.set(row.table, name);
  }

  remove(index: number): void {
    const row = this.#byIndex.get(index);
    const name = row?.kind === 'bridge' ? this.nameOf(row) : null;
    if (name !== null) {
      const since = performance.now() - SAME_MOMENT_MS;
      const ports = [...this.#left].filter(([, { bridge, atMs }]) => bridge === name && atMs > since);
      this.#lost.set(
        name,
        ports.map(([port]) => port),
      );
    }
    this.#left.delete(index);
    this.#forget(index);
  }

  /** We are about to take it away: that it goes down and is gone is no news then. */
  leave(index: number): void {
    this.#leaving.add(index);
  }

  /** It could not be taken away, or the kernel has told of its end. */
  left(index: number): void {
    this.#leaving.delete(index);
  }

  isLeaving(index: number): boolean {
    return this.#leaving.has(index);
  }

  /** Numbers of the links that were in a bridge of ours when somebody took it away, told once; whoever put them there does not know. */
  takeLost(bridge: string): readonly number[] {
    const ports = this.#lost.get(bridge) ?? [];
    this.#lost.delete(bridge);
    return ports.filter((port) => this.#byIndex.get(port)?.master === 0);
  }

  #noteLeaving(row: LinkRow): void {
    const before = this.#byIndex.get(row.index);
    const bridge = before === undefined || before.master === 0 ? undefined : this.#byIndex.get(before.master);
    const name = bridge?.kind === 'bridge' ? this.nameOf(bridge) : null;
    if (row.master !== 0) this.#left.delete(row.index);
    else if (name !== null) this.#left.set(row.index, { bridge: name, atMs: performance.now() });
  }

  #forget(index: number): void {
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
    return this.markOf(row)?.link ?? this.#known.adopted(row.name);
  }

  markOf(row: LinkRow): Mark | null {
    return parseMark(row.alias) ?? this.#known.made(row) ?? markOf(row);
  }

  /** Somebody else has a device of this name, and it stays his. */
  isForeign(device: string): boolean {
    const row = this.#byDevice.get(device);
    return row !== undefined && this.nameOf(row) === null && !this.#known.offered(row);
  }

  ours(): IterableIterator<[string, LinkRow]> {
    return this.#ours.entries();
  }
}
