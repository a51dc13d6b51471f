/** What the demo asks of a peer, whichever program plays it. */
import type { PeerReport } from '../traffic/commands.ts';

export interface DemoPeer {
  readonly name: string;
  /** For the table: `vrouter` or `wireguard-go`. */
  readonly program: string;
  readonly addresses: readonly string[];
  send(what: { to: string; run: number; count: number; size: number; pps: number }): Promise<number>;
  /** Round-trip times of echo requests, ms. Rejects when one stays unanswered. */
  ping(to: string, count: number): Promise<readonly number[]>;
  report(): Promise<PeerReport>;
  stop(): Promise<void>;
}
