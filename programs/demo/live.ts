/** The demo for people: traffic that goes on, and a table that shows it once a second, until interrupted. */
import { setTimeout as delay } from 'node:timers/promises';
import { exchange } from './traffic/exchange.ts';
import { generateClientFile } from './view/client-file.ts';
import { type LiveState, renderScreen } from './view/screen.ts';
import type { Network } from './world/network.ts';

const traffic = { count: 50, size: 512, pps: 100, patienceMs: 500 };

export async function runLive(network: Network, interrupted: Promise<void>): Promise<void> {
  const clientFile = await generateClientFile(network);
  const state: LiveState = { delivered: 0, lost: 0, before: new Map(), clientFile };
  const stop = new AbortController();
  const failed = Promise.withResolvers<never>();
  for (const name of ['controller', 'gateway'] as const)
    network.child(name).onUnexpectedEnd((why) => failed.reject(why));
  const working = Promise.all([sendOn(network, state, stop.signal), showOn(network, state, stop.signal)]);
  try {
    await Promise.race([interrupted, failed.promise, working]);
  } finally {
    stop.abort();
    process.stdout.write('\nstopping\n');
    await working.catch(() => {});
  }
}

async function sendOn(network: Network, state: LiveState, signal: AbortSignal): Promise<void> {
  const [alice, bob] = network.peers as [Network['peers'][number], Network['peers'][number]];
  for (let run = Math.floor(Date.now() / 1000) >>> 0; !signal.aborted; run++) {
    const result = await exchange(alice, bob, { ...traffic, run });
    state.delivered += result.delivered;
    state.lost += result.sent - result.delivered;
  }
}

async function showOn(network: Network, state: LiveState, signal: AbortSignal): Promise<void> {
  const isTerminal = process.stdout.isTTY === true;
  let isFirst = true;
  while (!signal.aborted) {
    const [vrouters, peers, status] = await Promise.all([
      network.controller.vrouters(),
      network.gateway.peers().catch(() => null),
      network.gateway.status().catch(() => null),
    ]);
    const screen = renderScreen({ network, vrouters: vrouters.vrouters, peers, status }, state, isTerminal || isFirst);
    isFirst = false;
    await network.noteEngine().catch(() => {});
    process.stdout.write(isTerminal ? `\x1b[H\x1b[2J${screen}` : `${screen}\n`);
    await delay(isTerminal ? 1000 : 5000, undefined, { signal }).catch(() => {});
  }
}
