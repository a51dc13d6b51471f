/** What the main thread and its workers say to each other. Order is kept both ways, so what is said first is done first. */
import type { Problem } from '@vrouter/core/problem.ts';
import type { Action, DumpRow, RowId } from '@vrouter/engine/control/messages.ts';
import type { CounterColumns } from '@vrouter/engine/graph/counters.ts';
import type { CountedLink } from '@vrouter/engine/graph/counters-reply.ts';
import type { Share } from '@vrouter/engine/workers/share.ts';
import type { BoundUdp } from '@vrouter/host/udp/steered.ts';

/** What a worker is born with. */
export interface Birth {
  readonly epoch: string;
  readonly share: Share;
}

export type Order =
  | { readonly do: 'apply'; readonly id: number; readonly actions: readonly Action[] }
  /** Worker 0 answers with all rows, the others with their peers. */
  | { readonly do: 'dump'; readonly id: number; readonly only: readonly RowId[] | null }
  /** Your share of the sockets that you asked for with this number. */
  | { readonly do: 'opened'; readonly number: number; readonly socket: BoundUdp | Problem }
  | { readonly do: 'close' };

/** Counters lie in shared memory: these are the arrays themselves. */
export interface Counted {
  readonly columns: CounterColumns;
  readonly links: readonly CountedLink[];
}

export type Report =
  | { readonly is: 'ready'; readonly counted: Counted }
  | {
      readonly is: 'applied';
      readonly id: number;
      readonly results: readonly (Problem | null)[];
      /** Null when no link came or went. */
      readonly counted: Counted | null;
    }
  | { readonly is: 'rows'; readonly id: number; readonly rows: readonly DumpRow[] }
  /** All workers do the same actions, so they ask for the same sockets in the same order; `number` counts them. */
  | { readonly is: 'open'; readonly number: number; readonly address: string; readonly port: number }
  | { readonly is: 'failed'; readonly message: string; readonly stack: string };
