/** A plane as the daemon has it: who makes objects true, and what only some planes have. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { CountingDriver } from '@vrouter/drivers/contract/counters.ts';
import type { EngineSupervisor } from '../children/engine.ts';
import type { LeftoverSource } from '../doors/router/adopt.ts';
import type { LookForDrops } from '../reconcile/forward-drops.ts';
import type { LookAtHost } from '../reconcile/host-watch.ts';

/** The engine of the userspace plane, as far as the daemon and its doors ask. */
export type Engine = Pick<EngineSupervisor, 'running' | 'isSilent' | 'connectAside' | 'stop' | 'allow'>;

export interface Plane {
  readonly driver: CountingDriver;
  readonly engine: Engine;
  /** First number that a VRF's table may have; the default VRF has 0. */
  readonly firstTable: number;
  /** Whether wg(8) needs a control socket of ours for the plane's WireGuard interfaces. */
  readonly wgSockets: boolean;
  /** Bytes that an interface of the host carries; null when there is none. */
  deviceMtu(device: string): number | null;
  /** What the host has on its links, which networks of this plane would be in the way of. */
  readonly hostNetworks: LookAtHost;
  /** Of a router for container networks that was here before; null: it cannot have been on this plane. */
  readonly leftovers: LeftoverSource | null;
  /** Which networks' packets another firewall of this host drops. */
  readonly forwardDrops: LookForDrops;
  /** Lets go; what was made goes on. */
  close(): Promise<void>;
}

/** Of planes where the kernel moves packets: there is none to be asked. */
export const noEngine: Engine = {
  running: () => null,
  isSilent: false,
  connectAside: () => Promise.reject(none()),
  stop: () => Promise.reject(none()),
  allow: () => {
    throw none();
  },
};

function none(): ProblemError {
  return new ProblemError(
    problem('intent.unsupported', 'this plane has no engine: the kernel moves the packets; tcpdump(8) shows them'),
  );
}
