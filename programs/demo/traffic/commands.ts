/** What a peer process is told on its standard input, and what it answers on its standard output: a JSON document per line. */
import type { Received } from './tally.ts';

export type PeerCommand =
  | {
      readonly id: number;
      readonly do: 'send';
      readonly to: string;
      readonly run: number;
      readonly count: number;
      readonly size: number;
      readonly pps: number;
    }
  | { readonly id: number; readonly do: 'ping'; readonly to: string; readonly count: number }
  | { readonly id: number; readonly do: 'report' };

export interface PeerReport {
  readonly received: readonly Received[];
  readonly damaged: number;
  /** UDP payload bytes of the tunnel, as wg(8) counts them; null where the process does not know. */
  readonly rxBytes: number | null;
  readonly txBytes: number | null;
  readonly handshakes: number | null;
}

export type PeerAnswer =
  | { readonly event: 'ready'; readonly addresses: readonly string[] }
  | {
      readonly id: number;
      readonly ok: true;
      readonly sent?: number;
      readonly rttMs?: readonly number[];
      readonly report?: PeerReport;
    }
  | { readonly id: number; readonly ok: false; readonly error: string };
