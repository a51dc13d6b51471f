/**
 * The part of a peer process that sends, receives and answers commands, over whichever IP stack it was given. It ends when its
 * standard input does, so that no peer outlives who started it.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { PeerAnswer, PeerCommand, PeerReport } from './commands.ts';
import { makePayload } from './payload.ts';
import { Tally } from './tally.ts';

/** UDP through the tunnel, by address text. */
export interface InnerStack {
  readonly addresses: readonly string[];
  send(to: string, payload: Uint8Array): void;
  onPayload(callback: (from: string, payload: Uint8Array) => void): void;
  /** Round-trip time of one echo request, ms; rejects after a second without an answer. */
  ping(to: string): Promise<number>;
  counters(): Pick<PeerReport, 'rxBytes' | 'txBytes' | 'handshakes'>;
  close(): Promise<void>;
}

/** Packets sent before the sender lets others work: small enough for the socket buffers on the way. */
const BURST = 16;

export async function serveCommands(stack: InnerStack): Promise<void> {
  const tally = new Tally();
  stack.onPayload((from, payload) => tally.take(from, payload));
  answer({ event: 'ready', addresses: stack.addresses });
  const running = new Set<Promise<void>>();
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as PeerCommand;
    const work = execute(command, stack, tally)
      .catch((thrown: unknown): PeerAnswer => ({ id: command.id, ok: false, error: String(thrown) }))
      .then(answer);
    running.add(work);
    void work.then(() => running.delete(work));
  }
  await stack.close();
}

async function execute(command: PeerCommand, stack: InnerStack, tally: Tally): Promise<PeerAnswer> {
  const { id } = command;
  switch (command.do) {
    case 'send':
      return { id, ok: true, sent: await sendPaced(command, stack) };
    case 'ping': {
      const rttMs: number[] = [];
      for (let i = 0; i < command.count; i++) rttMs.push(await stack.ping(command.to));
      return { id, ok: true, rttMs };
    }
    case 'report':
      return { id, ok: true, report: { received: tally.rows(), damaged: tally.damaged, ...stack.counters() } };
  }
}

/** Sends `count` packets at `pps` packets a second, by the clock, so that a late timer is made up for. */
async function sendPaced(command: Extract<PeerCommand, { do: 'send' }>, stack: InnerStack): Promise<number> {
  const began = performance.now();
  for (let sent = 0; sent < command.count; ) {
    const due = Math.min(command.count, Math.floor(((performance.now() - began) * command.pps) / 1000) + 1);
    for (const end = Math.min(due, sent + BURST); sent < end; sent++)
      stack.send(command.to, makePayload(command.run, sent, command.size));
    await delay(sent < due ? 0 : 1);
  }
  return command.count;
}

function answer(what: PeerAnswer): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
