/** What the main thread and its workers say to each other. Order is kept both ways, so what is said first is done first. */
import type { Problem } from '@vrouter/core/problem.ts';
import type { Action, DumpRow, NatSessionsReply, NeighboursReply, RowId } from '@vrouter/engine/control/messages.ts';
import type { TraceFilter, TraceRow } from '@vrouter/engine/control/trace-messages.ts';
import type { CapturedPacket } from '@vrouter/engine/trace/watch.ts';
import type { Share } from '@vrouter/engine/workers/share.ts';
import type { TunOutcome } from '@vrouter/engine/workers/tun.ts';
import type { BoundUdp } from '@vrouter/host/udp/steered.ts';
import type { StatsMemory } from '../stats.ts';

/** What a worker is born with. */
export interface Birth {
  readonly epoch: string;
  readonly share: Share;
  readonly stats: StatsMemory;
}

export type Order =
  | { readonly do: 'apply'; readonly id: number; readonly actions: readonly Action[] }
  /** The keeper answers with all rows, the others with their peers. */
  | { readonly do: 'dump'; readonly id: number; readonly only: readonly RowId[] | null }
  /** For the keeper. */
  | { readonly do: 'natSessions' | 'neighbours'; readonly id: number; readonly limit: number }
  /** Your share of the sockets that you asked for with this number. */
  | { readonly do: 'opened'; readonly number: number; readonly socket: BoundUdp | Problem }
  /** How the keeper's doing of this number with a TUN device or a port has ended; for the others. */
  | { readonly do: 'tunDone'; readonly number: number; readonly outcome: TunOutcome }
  /** Watch; `snapLen` null: a trace, else a capture. */
  | { readonly do: 'watch'; readonly number: number; readonly filter: TraceFilter; readonly snapLen: number | null }
  /** What you said last of a watch has been taken; there is room for more. */
  | { readonly do: 'more'; readonly number: number }
  | { readonly do: 'unwatch'; readonly number: number }
  | { readonly do: 'close' };

/** What a worker has seen for a watch. It says no more before it hears `more`; what finds no room until then is `lost`. */
export interface Seen {
  readonly is: 'seen';
  readonly number: number;
  readonly rows: readonly TraceRow[] | readonly CapturedPacket[];
  readonly lost: number;
  /** It watches no longer. */
  readonly last: boolean;
}

export type Report =
  | { readonly is: 'ready' }
  | { readonly is: 'applied'; readonly id: number; readonly results: readonly (Problem | null)[] }
  /** All but the last of a dump with `more`. */
  | { readonly is: 'rows'; readonly id: number; readonly rows: readonly DumpRow[]; readonly more: boolean }
  | { readonly is: 'natSessions'; readonly id: number; readonly reply: NatSessionsReply }
  | { readonly is: 'neighbours'; readonly id: number; readonly reply: NeighboursReply }
  /** All workers do the same actions, so they ask for the same sockets in the same order; `number` counts them. */
  | { readonly is: 'open'; readonly number: number; readonly address: string; readonly port: number }
  | { readonly is: 'tunDone'; readonly number: number; readonly outcome: TunOutcome }
  | { readonly is: 'watching'; readonly number: number }
  | Seen
  | { readonly is: 'failed'; readonly message: string; readonly stack: string };
