/** Packets both ways between two peers, over every family that both have, checked at the far end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DemoPeer } from '../peers/kinds.ts';

export interface ExchangeOptions {
  /** Names the exchange in the payloads; never used twice. */
  readonly run: number;
  /** Per direction and family. */
  readonly count: number;
  /** Bytes of payload. */
  readonly size: number;
  /** Packets a second, per direction. */
  readonly pps: number;
  /** How long to wait for the last packets, ms. */
  readonly patienceMs: number;
}

export interface ExchangeResult {
  readonly sent: number;
  /** Different packets that came whole. */
  readonly delivered: number;
  readonly duplicates: number;
  readonly damaged: number;
}

export async function exchange(a: DemoPeer, b: DemoPeer, options: ExchangeOptions): Promise<ExchangeResult> {
  const damagedBefore = await damaged(a, b);
  let sent = 0;
  for (const family of [4, 6] as const) {
    const [atA, atB] = [addressOf(a, family), addressOf(b, family)];
    if (atA === undefined || atB === undefined) continue;
    const { run, count, size, pps } = options;
    const counts = await Promise.all([
      a.send({ to: atB, run, count, size, pps }),
      b.send({ to: atA, run, count, size, pps }),
    ]);
    sent += counts[0] + counts[1];
  }
  const deadline = performance.now() + options.patienceMs;
  for (;;) {
    const { delivered, duplicates } = await arrived(a, b, options.run);
    if (delivered >= sent || performance.now() > deadline)
      return { sent, delivered, duplicates, damaged: (await damaged(a, b)) - damagedBefore };
    await delay(10);
  }
}

/** The tallies keep senders apart, by their inner address. */
async function arrived(a: DemoPeer, b: DemoPeer, run: number): Promise<{ delivered: number; duplicates: number }> {
  let delivered = 0;
  let duplicates = 0;
  for (const report of [await a.report(), await b.report()])
    for (const row of report.received)
      if (row.run === run) {
        delivered += row.count;
        duplicates += row.duplicates;
      }
  return { delivered, duplicates };
}

async function damaged(a: DemoPeer, b: DemoPeer): Promise<number> {
  return (await a.report()).damaged + (await b.report()).damaged;
}

export function addressOf(peer: DemoPeer, family: 4 | 6): string | undefined {
  return peer.addresses.find((address) => address.includes(':') === (family === 6));
}
