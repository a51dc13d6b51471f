/**
 * How counters lie in memory that others may read: a segment for each worker, which alone writes it.
 *
 *     0   magic | version | sequence | bytes in use | where the text is | its bytes        six words of 32 bits
 *     64  columns of doubles, pages of peers' records and the text, one after the other, each from a multiple of 64 on
 *
 * The text is JSON (`Directory`): it names the columns and says where they and the pages stand. The sequence is odd while the text, the
 * columns or who has which record are being changed; whoever finds it odd, or another one after reading, reads again. Numbers that only
 * count may change at any time: each is one aligned double, written whole. Segments only grow; a column that has become too short is left
 * behind where it was.
 */
/** "VRST". */
export const MAGIC = 0x5453_5256;
export const VERSION = 1;

/** Words of the header. */
export const Head = { magic: 0, version: 1, sequence: 2, used: 3, textAt: 4, textBytes: 5 } as const;
export const HEAD_BYTES = 64;
export const ALIGN = 64;

/**
 * Memory that a worker sets aside for its segment: address space, not memory, until it is used. Enough for some 400,000 peers; what has
 * no room is counted all the same, but not to be seen here.
 */
export const SEGMENT_BYTES = 64 * 1024 * 1024;

/** A column of counters with a name for each. */
export interface NamedColumn {
  readonly at: number;
  readonly names: readonly string[];
}

export interface Directory {
  readonly epoch: string;
  readonly worker: number;
  readonly workers: number;
  readonly drops: NamedColumn;
  readonly wireguardDrops: NamedColumn;
  readonly icmp: NamedColumn;
  readonly work: NamedColumn;
  readonly nodes: NamedColumn;
  /** Columns by index of the link. Absent: the worker has found no room for them. */
  readonly links: {
    readonly names: readonly { readonly name: string; readonly index: number }[];
    readonly rxPackets: number;
    readonly rxBytes: number;
    readonly txPackets: number;
    readonly txBytes: number;
    readonly drops: number;
  };
  /** Pages of peers' records (protocols/wireguard/records.ts). */
  readonly peers: { readonly pages: readonly number[]; readonly pageRecords: number };
}
