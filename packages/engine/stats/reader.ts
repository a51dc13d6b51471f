/** The reading side, of any process that can read the memory, be it as a file. Read layout.ts first. */
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import {
  DEVICE_WORD,
  ENDPOINT_AT,
  ENDPOINT_WORD,
  KEY_AT,
  LAST_HANDSHAKE,
  RECORD_BYTES,
  RX_BYTES,
  RX_PACKETS,
  TIMESTAMP_AT,
  TX_BYTES,
  TX_PACKETS,
} from '@vrouter/protocols/wireguard/records.ts';
import type { CountersReply } from '../control/messages.ts';
import { decodeUtf8 } from '../control/utf8.ts';
import { ALIGN, type Directory, HEAD_BYTES, Head, MAGIC, type NamedColumn, VERSION } from './layout.ts';

/** The text of an engine with very many links; what claims to be longer is something else. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;
/** Looks at a segment that is being changed. Changes take microseconds, and there are pauses between them. */
const TRIES = 20;

/** Bytes of the segment, good until it is read again; fewer than asked for when it ends before. */
export type ReadStats = (at: number, length: number) => Uint8Array;

/** What is known of a peer, as a row of a dump says it. */
export interface PeerStats {
  readonly link: string;
  readonly publicKey: string;
  readonly endpoint: string | null;
  readonly lastHandshakeUnixMs: number | null;
  /** The greatest TAI64N label of the peer's initiations, 24 hex digits; null before the first. */
  readonly handshakeTimestamp: string | null;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxPackets: number;
  readonly txPackets: number;
}

/** The counters of an engine, summed over the segments of its workers. Null when one cannot be read. */
export function readCounters(segments: readonly ReadStats[]): CountersReply | null {
  const parts: CountersReply[] = [];
  for (const read of segments) {
    const part = atRest(read, (directory) => partOf(read, directory));
    if (part === null) return null;
    parts.push(part);
  }
  const [first, ...others] = parts;
  return first === undefined ? null : others.reduce(add, first);
}

/** Every peer that lives on the worker. Null when the segment cannot be read. */
export function readPeers(read: ReadStats): PeerStats[] | null {
  return atRest(read, (directory) => {
    const names = new Map(directory.links.names.map(({ name, index }) => [index, name]));
    const { pages, pageRecords } = directory.peers;
    return pages.flatMap((page) => readPage(read(page, pageRecords * RECORD_BYTES).slice(), names));
  });
}

/** Names of the links that the worker knows. Null when the segment cannot be read. */
export function readLinkNames(read: ReadStats): string[] | null {
  return atRest(read, ({ links }) => links.names.map(({ name }) => name));
}

/** What `look` sees when nothing is changed meanwhile. Null when this is no segment of a kind that we know, or is never at rest. */
function atRest<T>(read: ReadStats, look: (directory: Directory) => T): T | null {
  for (let tries = 0; tries < TRIES; tries++) {
    const head = readHead(read);
    if (head === null || head[Head.magic] !== MAGIC || head[Head.version] !== VERSION) return null;
    if ((head[Head.sequence]! & 1) !== 0) continue;
    const directory = readDirectory(read, head[Head.textAt]!, head[Head.textBytes]!);
    const seen = directory === null ? null : look(directory);
    if (readHead(read)?.[Head.sequence] === head[Head.sequence]) return seen;
  }
  return null;
}

function readHead(read: ReadStats): Int32Array | null {
  const bytes = read(0, HEAD_BYTES).slice();
  return bytes.length < HEAD_BYTES ? null : new Int32Array(bytes.buffer, 0, HEAD_BYTES / 4);
}

/** `count` counters; zeros where there are none. */
function readColumn(read: ReadStats, at: number, count: number): Float64Array {
  const column = new Float64Array(count);
  if (at >= 0) new Uint8Array(column.buffer).set(read(at, 8 * count));
  return column;
}

function partOf(read: ReadStats, { epoch, links, ...columns }: Directory): CountersReply {
  const count = 1 + Math.max(-1, ...links.names.map(({ index }) => index));
  const [rxPackets, rxBytes, txPackets, txBytes, drops] = [
    links.rxPackets,
    links.rxBytes,
    links.txPackets,
    links.txBytes,
    links.drops,
  ].map((at) => readColumn(read, at, count)) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  const work = named(read, columns.work);
  return {
    epoch,
    links: links.names.map(({ name, index }) => ({
      name,
      rxPackets: rxPackets[index]!,
      rxBytes: rxBytes[index]!,
      txPackets: txPackets[index]!,
      txBytes: txBytes[index]!,
      drops: drops[index]!,
    })),
    drops: notZero({ ...named(read, columns.drops), ...named(read, columns.wireguardDrops) }),
    icmpErrors: notZero(named(read, columns.icmp)),
    mssClamped: work.mssClamped ?? 0,
    fragmented: work.fragmented ?? 0,
    reassembled: work.reassembled ?? 0,
    nodes: named(read, columns.nodes),
  };
}

/** A link that only one of two knows is just coming or going, and is left out. */
function add(one: CountersReply, other: CountersReply): CountersReply {
  const byName = new Map(other.links.map((link) => [link.name, link]));
  return {
    epoch: one.epoch,
    links: one.links.flatMap((link) => {
      const more = byName.get(link.name);
      if (more === undefined) return [];
      return {
        name: link.name,
        rxPackets: link.rxPackets + more.rxPackets,
        rxBytes: link.rxBytes + more.rxBytes,
        txPackets: link.txPackets + more.txPackets,
        txBytes: link.txBytes + more.txBytes,
        drops: link.drops + more.drops,
      };
    }),
    drops: sums(one.drops, other.drops),
    icmpErrors: sums(one.icmpErrors, other.icmpErrors),
    mssClamped: one.mssClamped + other.mssClamped,
    fragmented: one.fragmented + other.fragmented,
    reassembled: one.reassembled + other.reassembled,
    nodes: sums(one.nodes, other.nodes),
  };
}

type Sums = { readonly [name: string]: number };

function sums(one: Sums, other: Sums): Sums {
  const all: { [name: string]: number } = { ...one };
  for (const [name, count] of Object.entries(other)) all[name] = (all[name] ?? 0) + count;
  return all;
}

function notZero(counts: Sums): Sums {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

function named(read: ReadStats, { at, names }: NamedColumn): Sums {
  const column = readColumn(read, at, names.length);
  return Object.fromEntries(names.map((name, index) => [name, column[index]!]));
}

/** `page`: in a buffer of its own. */
function readPage(page: Uint8Array, names: ReadonlyMap<number, string>): PeerStats[] {
  const words = new Int32Array(page.buffer, 0, page.length >>> 2);
  const doubles = new Float64Array(page.buffer, 0, page.length >>> 3);
  const peers: PeerStats[] = [];
  for (let at = 0; at + RECORD_BYTES <= page.length; at += RECORD_BYTES) {
    const link = names.get(words[at / 4 + DEVICE_WORD]! - 1);
    if (link === undefined) continue;
    const endpoint = words[at / 4 + ENDPOINT_WORD]!;
    const addressBytes = endpoint >>> 16;
    const isKnown = addressBytes === 4 || addressBytes === 16;
    const address = page.slice(at + ENDPOINT_AT, at + ENDPOINT_AT + addressBytes);
    const timestamp = page.subarray(at + TIMESTAMP_AT, at + TIMESTAMP_AT + 12);
    const double = (index: number): number => doubles[at / 8 + index]!;
    const lastHandshake = double(LAST_HANDSHAKE);
    peers.push({
      link,
      publicKey: page.subarray(at + KEY_AT, at + KEY_AT + 32).toBase64(),
      endpoint: isKnown ? makeEndpoint(address, endpoint & 0xffff).text : null,
      lastHandshakeUnixMs: lastHandshake === 0 ? null : Math.floor(lastHandshake),
      handshakeTimestamp: timestamp.some((byte) => byte !== 0) ? timestamp.toHex() : null,
      rxBytes: double(RX_BYTES),
      txBytes: double(TX_BYTES),
      rxPackets: double(RX_PACKETS),
      txPackets: double(TX_PACKETS),
    });
  }
  return peers;
}

function readDirectory(read: ReadStats, at: number, length: number): Directory | null {
  if (at < HEAD_BYTES || length < 2 || length > MOST_TEXT_BYTES) return null;
  try {
    const said: unknown = JSON.parse(decodeUtf8(read(at, length)) ?? '');
    return isDirectory(said) ? said : null;
  } catch {
    return null;
  }
}

function isDirectory(value: unknown): value is Directory {
  if (typeof value !== 'object' || value === null) return false;
  const { epoch, worker, workers, links, peers, ...columns } = value as { [name: string]: unknown } & Directory;
  return (
    typeof epoch === 'string' &&
    isCount(worker) &&
    isCount(workers) &&
    [columns.drops, columns.wireguardDrops, columns.icmp, columns.work, columns.nodes].every(isColumn) &&
    Array.isArray(links?.names) &&
    links.names.every((link) => typeof link?.name === 'string' && isCount(link.index)) &&
    [links.rxPackets, links.rxBytes, links.txPackets, links.txBytes, links.drops].every(isPlace) &&
    Array.isArray(peers?.pages) &&
    peers.pages.every((at) => isPlace(at) && at >= 0) &&
    isCount(peers.pageRecords) &&
    peers.pageRecords <= 65_536
  );
}

function isColumn(column: NamedColumn | undefined): boolean {
  return isPlace(column?.at) && Array.isArray(column?.names) && column.names.every((name) => typeof name === 'string');
}

/** Columns and pages are aligned; -1: not in this memory. */
function isPlace(at: unknown): boolean {
  return at === -1 || (isCount(at) && (at as number) % ALIGN === 0);
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0;
}
