/** The daemon's state as rows for `vrouterctl show`. */
import type {
  InterfaceRow,
  PeerRow,
  PlanReply,
  RouteRow,
  StatsReply,
  StatusReply,
} from '@vrouter/api/gateway/gateway.ts';
import type { LinkCounters, PlaneCounters } from '@vrouter/drivers/contract/counters.ts';
import type { Daemon } from '../../daemon.ts';
import { VERSION } from '../../version.ts';
import type { WgPlace } from '../wg/sockets.ts';

const noCounters: Omit<LinkCounters, 'name'> = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0, drops: 0 };

/** Null when the plane is away. */
async function counters(daemon: Daemon): Promise<PlaneCounters | null> {
  try {
    return await daemon.counters();
  } catch {
    return null;
  }
}

export async function interfaceRows(daemon: Daemon, wgPlace: WgPlaceOf): Promise<InterfaceRow[]> {
  const [counts, fresh] = await Promise.all([counters(daemon), daemon.links()]);
  const counted = new Map(counts?.links.map((link) => [link.name, link]));
  const operUp = new Map(fresh?.map(({ object, learned }) => [object.name, learned.operUp === true]));
  const rows = new Map<string, InterfaceRow & { addresses: string[] }>();
  const observed = daemon.reconciler.observed();
  for (const { object, learned } of observed.values()) {
    if (object.kind !== 'link') continue;
    const { name, type, vrf, mtu, mssClamp, sourceCheck } = object;
    // One that the plane has no more is on its way back.
    const state = fresh === null ? 'unknown' : operUp.get(name) === true ? 'up' : 'down';
    // Behind a TUN link is the host itself, which has addresses of its own there.
    const addresses = [...(object.hostAddresses ?? [])];
    const unknown = { addresses, listenPort: null, publicKey: null, wgSocket: null, wgLink: null };
    const superPackets = typeof learned.superPackets === 'string' ? learned.superPackets : null;
    rows.set(name, {
      name,
      type,
      vrf,
      mtu,
      mssClamp,
      sourceCheck,
      state,
      superPackets,
      ...unknown,
      ...noCounters,
      ...counted.get(name),
    });
  }
  for (const { object, learned } of observed.values()) {
    if (object.kind === 'address') rows.get(object.link)?.addresses.push(object.address);
    if (object.kind !== 'wireguardDevice') continue;
    const row = rows.get(object.link);
    if (row === undefined) continue;
    const publicKey = typeof learned.publicKey === 'string' ? learned.publicKey : null;
    rows.set(object.link, { ...row, listenPort: object.listenPort, publicKey, ...wgColumns(wgPlace(object.link)) });
  }
  return sorted([...rows.values()], (row) => row.name);
}

/** Where the socket for wg(8) is, by interface. */
export type WgPlaceOf = (name: string) => WgPlace | null;

function wgColumns(place: WgPlace | null): Pick<InterfaceRow, 'wgSocket' | 'wgLink'> {
  return { wgSocket: place?.path ?? null, wgLink: place?.link ?? null };
}

export async function peerRows(daemon: Daemon): Promise<PeerRow[]> {
  const rows = (await daemon.peers()).map(({ key, object, learned }): PeerRow => {
    const holder = daemon.desired.intentsOf(key)[0];
    const count = (name: string): number => Number(learned[name] ?? 0);
    return {
      interface: object.link,
      name: holder?.intent.kind === 'peer' ? holder.intent.name : '',
      publicKey: object.publicKey,
      source: holder?.source ?? '',
      endpoint: typeof learned.endpoint === 'string' ? learned.endpoint : null,
      allowedIps: [...object.allowedIps],
      lastHandshakeUnixMs: typeof learned.lastHandshakeUnixMs === 'number' ? learned.lastHandshakeUnixMs : null,
      pathMtu: typeof learned.pathMtu === 'number' ? learned.pathMtu : null,
      rxBytes: count('rxBytes'),
      txBytes: count('txBytes'),
      rxPackets: count('rxPackets'),
      txPackets: count('txPackets'),
    };
  });
  return sorted(rows, (row) => `${row.interface} ${row.name} ${row.publicKey}`);
}

export function routeRows(daemon: Daemon): RouteRow[] {
  const rows: RouteRow[] = [];
  for (const { key, object } of daemon.reconciler.observed().values()) {
    if (object.kind !== 'route') continue;
    const { vrf, prefix, via } = object;
    const out =
      via.type === 'link' ? { interface: via.link, nextHop: via.nextHop } : { interface: null, nextHop: null };
    const holder = daemon.desired.intentsOf(key)[0];
    rows.push({ vrf, prefix, ...out, from: holder === undefined ? '' : `${holder.source} ${describe(holder.intent)}` });
  }
  return sorted(rows, (row) => `${row.vrf} ${row.prefix}`);
}

export async function statsReply(daemon: Daemon): Promise<StatsReply> {
  const counted = await counters(daemon);
  const { reconciles, lastReconcileMs, driftRepaired } = daemon.reconciler.stats;
  return {
    epoch: counted?.epoch ?? '',
    drops: counted?.drops ?? {},
    nodes: counted?.nodes ?? {},
    icmpErrors: counted?.icmpErrors ?? {},
    mssClamped: counted?.mssClamped ?? 0,
    fragmented: counted?.fragmented ?? 0,
    reassembled: counted?.reassembled ?? 0,
    reconciles,
    lastReconcileMs,
    driftRepaired,
    objects: daemon.desired.size,
    intents: [...daemon.desired.intents()].length,
    failing: daemon.problems(),
  };
}

export async function planReply(daemon: Daemon): Promise<PlanReply> {
  const steps = await daemon.reconciler.dryRun();
  return {
    steps: steps.map((step) => ({
      op: step.op,
      key: step.key,
      changed: step.op === 'update' ? [...step.changed] : [],
      effect: step.effect,
    })),
    held: daemon.agent.held,
    controller: daemon.agent.outlook(),
  };
}

export function statusReply(daemon: Daemon): StatusReply {
  const { agent, engine, config } = daemon;
  return {
    version: VERSION,
    pid: process.pid,
    plane: config.plane,
    engine: engine.running(),
    gatewayId: agent.enrolment?.gatewayId ?? null,
    name: agent.enrolment?.name ?? null,
    controller: agent.status(),
    held: agent.held,
    storedVersion: agent.storedVersion,
    appliedVersion: daemon.appliedVersion,
    startedUnixMs: daemon.startedUnixMs,
  };
}

function describe(intent: { readonly kind: string; readonly name?: string }): string {
  return intent.name === undefined ? intent.kind : `${intent.kind} ${intent.name}`;
}

function sorted<T>(rows: T[], key: (row: T) => string): T[] {
  return rows.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
