/** What the engine counts, read where it lies, so that the engine need not be asked. */
import type { CountersReply, Hello } from '@vrouter/engine/control/messages.ts';
import { type ReadStats, readCounters, readPeers } from '@vrouter/engine/stats/reader.ts';
import type { PeerFacts } from '../contract/counters.ts';

/** A file that stays open. */
export interface StatsFile {
  readonly read: ReadStats;
  close(): void;
}

/** Opens such a file; null where that cannot be done. */
export type OpenStats = (path: string) => StatsFile | null;

export class EngineStats {
  readonly #files: readonly StatsFile[];
  readonly #epoch: string;

  constructor(files: readonly StatsFile[], epoch: string) {
    this.#files = files;
    this.#epoch = epoch;
  }

  /** Null where the engine names no files, or what it names are not its own for us: it may live in another namespace of process ids. */
  static open({ stats = [], epoch }: Hello, open: OpenStats): EngineStats | null {
    const files: StatsFile[] = [];
    for (const path of stats) {
      const file = open(path);
      if (file !== null) files.push(file);
    }
    const opened = new EngineStats(files, epoch);
    if (files.length > 0 && files.length === stats.length && opened.counters() !== null) return opened;
    opened.close();
    return null;
  }

  /** Null when they are just being changed: ask. */
  counters(): CountersReply | null {
    const counters = readCounters(this.#files.map(({ read }) => read));
    return counters?.epoch === this.#epoch ? counters : null;
  }

  peers(): readonly PeerFacts[] | null {
    const all: PeerFacts[] = [];
    for (const { read } of this.#files) {
      const peers = readPeers(read);
      if (peers === null) return null;
      for (const peer of peers) all.push(peer);
    }
    return all;
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}
