/** What a poll tells of this gateway besides versions and problems: its counters, and what it can hold when that is new. */
import { networkInterfaces } from 'node:os';
import type { Capabilities, GatewayStats, PeerStats } from '@vrouter/api/agent/agent.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import type { CountingDriver } from '@vrouter/drivers/contract/counters.ts';
import type { Observed, WireguardPeerObject } from '@vrouter/intent/model/objects.ts';
import type { Logger } from 'pino';
import { StatsFeed } from './agent/stats-feed.ts';
import { firstMac } from './counts.ts';
import type { Daemon } from './daemon.ts';

/** Links whose counters go up with a poll, at most. */
const LINKS_MAX = 256;

/** What of the daemon is told. */
type Told = Pick<Daemon, 'counters' | 'learn' | 'desired' | 'reconciler' | 'routeCounts' | 'natSessionCount'>;

export class Reporter {
  readonly #daemon: Told;
  readonly #driver: CountingDriver;
  readonly #log: Logger;
  readonly #feed = new StatsFeed();
  /** JSON of what was told last, and of what the controller has. */
  #offered: string | null = null;
  #known: string | null = null;

  constructor(daemon: Told, driver: CountingDriver, log: Logger) {
    this.#daemon = daemon;
    this.#driver = driver;
    this.#log = log;
  }

  /** `stats` is null while the plane is away; `capabilities` is there only when the controller does not have them. */
  async report(): Promise<{ stats: GatewayStats | null; capabilities?: Capabilities }> {
    const { kinds } = this.#driver.capabilities();
    const capabilities = { kinds: [...kinds].sort(), mac: firstMac(networkInterfaces()) };
    this.#offered = JSON.stringify(capabilities);
    const stats = await this.#stats();
    return this.#offered === this.#known ? { stats } : { stats, capabilities };
  }

  /** The last report was answered; or its controller knows nothing of those before. */
  heard(controller: 'answered' | 'new'): void {
    this.#known = controller === 'answered' ? this.#offered : null;
    if (controller === 'answered') this.#feed.answered();
    else this.#feed.forget();
  }

  async #stats(): Promise<GatewayStats | null> {
    try {
      const counters = await this.#daemon.counters();
      const peers = await this.#daemon.learn();
      const { reconciles, driftRepaired, steps, stepsFailed, lastReconcileMs } = this.#daemon.reconciler.stats;
      return {
        epoch: counters.epoch,
        peers: this.#feed.next(peers.map(toPeerStats), counters.epoch, performance.now()),
        drops: counters.drops,
        objects: this.#daemon.desired.size,
        reconciles,
        driftRepaired,
        links: counters.links.slice(0, LINKS_MAX).map((link) => ({ ...link })),
        routes: this.#daemon.routeCounts(),
        natSessions: await this.#daemon.natSessionCount(),
        steps,
        stepsFailed,
        lastReconcileMs,
      };
    } catch (thrown) {
      this.#log.debug({ why: toProblem(thrown).message }, 'no statistics for this poll');
      return null;
    }
  }
}

function toPeerStats({ object, learned }: Observed<WireguardPeerObject>): PeerStats {
  const count = (name: string): number => Number(learned[name] ?? 0);
  return {
    interface: object.link,
    publicKey: object.publicKey,
    endpoint: typeof learned.endpoint === 'string' ? learned.endpoint : null,
    lastHandshakeUnixMs: typeof learned.lastHandshakeUnixMs === 'number' ? learned.lastHandshakeUnixMs : null,
    rxBytes: count('rxBytes'),
    txBytes: count('txBytes'),
    rxPackets: count('rxPackets'),
    txPackets: count('txPackets'),
  };
}
