/** The demo as a check: the same network, one exchange that must work, and the same exchange that must fail without one of the peers. */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type ExchangeOptions, exchange } from './traffic/exchange.ts';
import { type Network, VROUTER } from './world/network.ts';
import { waitFor } from './world/wait.ts';

const traffic: Omit<ExchangeOptions, 'run'> = { count: 200, size: 512, pps: 2000, patienceMs: 2000 };

export interface OnceReport {
  readonly gateway: string;
  readonly peers: number;
  /** Which programs played the peers. */
  readonly programs: readonly string[];
  /** Peers with whom the gateway has shaken hands. */
  readonly handshakes: number;
  /** Median echo round trip between a peer and the gateway's own address. */
  readonly ping_ms: number;
  readonly enrol_ms: number | null;
  readonly converge_ms: number;
  readonly delivered: number;
  readonly lost: number;
  /** What the same exchange delivered after one peer was removed; must be 0. */
  readonly delivered_after_removal: number;
}

/** Rejects with ProblemError when anything is not as it must be. */
export async function runOnce(network: Network, progress: (what: string) => void): Promise<OnceReport> {
  const [alice, bob] = network.peers as [Network['peers'][number], Network['peers'][number]];
  const before = await countAtRest(network);
  progress('ping');
  const { vrouters } = await network.controller.vrouters();
  const gateway = vrouters.find((vrouter) => vrouter.name === VROUTER)!;
  const rtts = await alice.ping(gateway.addresses[0]!.replace(/\/.*/, ''), 5);
  progress('packets both ways');
  const first = await exchange(alice, bob, { ...traffic, run: 1 });
  const lost = first.sent - first.delivered;
  if (lost > 0 || first.damaged > 0 || first.duplicates > 0)
    fail(`of ${first.sent} packets ${lost} were lost, ${first.damaged} damaged, ${first.duplicates} came twice`);
  progress('counters');
  await countersAgree(network, before);
  const rows = await network.gateway.peers();
  const handshakes = rows.filter((row) => row.lastHandshakeUnixMs !== null).length;
  progress('the same without one peer');
  await network.removePeer(bob.name);
  const second = await exchange(alice, bob, { ...traffic, run: 2, patienceMs: 500 });
  if (second.delivered > 0) fail(`${second.delivered} packets crossed after ${bob.name} was removed`);
  return {
    gateway: VROUTER,
    peers: network.peers.length,
    programs: network.peers.map((peer) => peer.program),
    handshakes,
    ping_ms: round(median(rtts)),
    enrol_ms: network.enrolMs === null ? null : round(network.enrolMs),
    converge_ms: round(network.convergeMs),
    delivered: first.delivered,
    lost,
    delivered_after_removal: second.delivered,
  };
}

/** Bytes by peer: as the gateway counts them, and as the peer does. */
interface Counts {
  readonly gatewayRx: number;
  readonly gatewayTx: number;
  readonly peerRx: number;
  readonly peerTx: number;
}

async function countNow(network: Network): Promise<Map<string, Counts>> {
  const rows = await network.gateway.peers();
  const counts = new Map<string, Counts>();
  for (const peer of network.peers) {
    const own = await peer.report();
    const row = rows.find(({ name }) => name === peer.name);
    if (row === undefined || own.rxBytes === null || own.txBytes === null)
      fail(`there is nothing counted of ${peer.name}`);
    counts.set(peer.name, {
      gatewayRx: row.rxBytes,
      gatewayTx: row.txBytes,
      peerRx: own.rxBytes,
      peerTx: own.txBytes,
    });
  }
  return counts;
}

/** The counts once nothing is on its way any more: the handshakes with which peers begin take a moment. */
async function countAtRest(network: Network): Promise<Map<string, Counts>> {
  let last = await countNow(network);
  return waitFor('the first handshakes to be over', 5000, async () => {
    await delay(50);
    const now = await countNow(network);
    const isQuiet = [...now].every(([name, counts]) => isDeepStrictEqual(counts, last.get(name)));
    const isThere = [...now.values()].every((counts) => counts.peerRx > 0 && counts.gatewayRx > 0);
    last = now;
    return isQuiet && isThere ? now : null;
  });
}

/**
 * What the gateway counted of each peer since `before` is what the peer counted itself, byte for byte. Since then only: a gateway that
 * goes on from an earlier run has greeted its peers where it last heard them, before these were there to count it.
 */
async function countersAgree(network: Network, before: ReadonlyMap<string, Counts>): Promise<void> {
  let differences: string[] = [];
  const agree = async (): Promise<true | null> => {
    differences = [];
    for (const [name, now] of await countNow(network)) {
      const then = before.get(name)!;
      const sent = now.peerTx - then.peerTx;
      const received = now.peerRx - then.peerRx;
      const [gotFrom, sentTo] = [now.gatewayRx - then.gatewayRx, now.gatewayTx - then.gatewayTx];
      if (sent !== gotFrom || received !== sentTo || sent === 0)
        differences.push(
          `${name} sent ${sent} and received ${received} bytes, the gateway counted ${gotFrom} and ${sentTo}`,
        );
    }
    return differences.length === 0 ? true : null;
  };
  await waitFor('the counters to agree', 3000, agree).catch(() => fail(differences.join('; ')));
}

function fail(message: string): never {
  throw new ProblemError(problem('plane.failed', message));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
