/** What has been seen of a packet that is still on its way. */
import type { TraceRow, TraceStep } from '../control/trace-messages.ts';
import { summaryOf, type TraceHeader } from './header.ts';
import type { TracePart } from './parts.ts';
import type { TraceWatch } from './watch.ts';

export class PacketRecord {
  readonly unixMs: number;
  readonly link: string;
  readonly peer: string | null;
  /** Those whose filter its header has passed. */
  readonly watches: readonly TraceWatch[];
  /** As the last node left it. */
  header: TraceHeader | null;
  outLink: string | null;
  outPeer: string | null;
  /** While it has been on one worker alone 0, else what all its parts have in common; and which of them this is (parts.ts). */
  id: number;
  hop: number;
  readonly #came: TraceHeader | null;
  readonly #steps: TraceStep[];
  #drop: string | null;

  constructor(
    unixMs: number,
    link: string,
    peer: string | null,
    header: TraceHeader | null,
    watches: readonly TraceWatch[],
  ) {
    this.unixMs = unixMs;
    this.link = link;
    this.peer = peer;
    this.watches = watches;
    this.outLink = null;
    this.outPeer = null;
    this.id = 0;
    this.hop = 0;
    this.#came = header;
    this.header = header;
    this.#steps = [];
    this.#drop = null;
  }

  step(node: string, facts: { readonly [name: string]: string | number }, drop: string | null): void {
    this.#steps.push({ node, facts: drop === null ? facts : { ...facts, drop } });
    this.#drop ??= drop;
  }

  /** What this worker has seen of a packet that was on others too. `more`: it has been handed on. */
  part(end: 'sent' | 'consumed', more: boolean): TracePart {
    return { ...this.row(end), id: this.id, hop: this.hop, more };
  }

  /** A packet that was dropped may have become an answer that was sent: it counts as dropped, and the steps tell the rest. */
  row(end: 'sent' | 'consumed'): TraceRow {
    return {
      unixMs: this.unixMs,
      link: this.link,
      peer: this.peer,
      packet: this.#came === null ? null : summaryOf(this.#came),
      steps: this.#steps,
      end: this.#drop === null ? end : 'dropped',
      drop: this.#drop,
      outLink: this.outLink,
      outPeer: this.outPeer,
    };
  }
}
