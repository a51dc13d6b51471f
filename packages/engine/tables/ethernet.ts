/**
 * Ethernet links: the device, and the mind that goes with it. Both are the link's own: they come with `link.set` and go with
 * `link.remove`, and are there while the link is wanted up. An address of the link is the mind's too, and a link-local one comes by itself.
 */
import { formatIp } from '@vrouter/core/ip.ts';
import { formatMac, parseMac } from '@vrouter/core/mac.ts';
import { parseInterfaceName } from '@vrouter/core/names.ts';
import { formatPrefix, type Prefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem, toProblem } from '@vrouter/core/problem.ts';
import type { Rng } from '@vrouter/core/rng.ts';
import type { Millis } from '@vrouter/core/time.ts';
import { NeighbourState } from '@vrouter/protocols/neighbour/table.ts';
import type { Action, NeighbourRow, NeighboursReply, PortRow } from '../control/messages.ts';
import type { Counters } from '../graph/counters.ts';
import type { LostPackets } from '../ports/ethernet/lost.ts';
import { EthernetPort } from '../ports/ethernet/port.ts';
import type { EthernetSocket, OpenEthernet } from '../ports/frames.ts';
import { AdjacencyKind } from '../state/adjacency.ts';
import type { Forwarding, Link } from '../state/forwarding.ts';

type LinkSet = Extract<Action, { do: 'link.set' }>;

const MAX_VLAN = 4094;
const LINK_LOCAL_BITS = 64;

/** What Ethernet links need of the world. */
export interface EthernetSurroundings {
  /** Left out where there are no Ethernet ports. */
  readonly openEthernet?: OpenEthernet;
  readonly rng: Rng;
}

/** The device of a link as its row tells it. */
export interface DeviceFields {
  readonly device: string;
  readonly mac: string | null;
  readonly vlanId: number | null;
}

interface Known {
  fields: DeviceFields;
  /** The address of a TAP without one of its own: another each time would confuse its neighbours. */
  readonly chosenMac: Uint8Array;
  /** What the mind has been told. */
  addresses: readonly Prefix[];
}

export class EthernetTable {
  readonly #surroundings: EthernetSurroundings;
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #lost: LostPackets;
  readonly #now: () => Millis;
  readonly #readable: (port: EthernetPort) => void;
  readonly #tick: () => void;
  readonly #known: Map<EthernetPort, Known>;

  /** `readable` is called when a port's socket has something, `tick` when its mind may have something to do. */
  constructor(
    surroundings: EthernetSurroundings,
    forwarding: Forwarding,
    counters: Counters,
    lost: LostPackets,
    now: () => Millis,
    readable: (port: EthernetPort) => void,
    tick: () => void,
  ) {
    this.#surroundings = surroundings;
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#lost = lost;
    this.#now = now;
    this.#readable = readable;
    this.#tick = tick;
    this.#known = new Map();
  }

  /** Gives a new link its port, and the device if it is to be up. */
  async create(link: Link, action: LinkSet): Promise<Problem | null> {
    const fields = canonical(action);
    if ('code' in fields) return fields;
    const port = new EthernetPort(link.index, this.#counters, this.#lost, (up) => {
      link.operUp = up;
    });
    const chosenMac = new Uint8Array(6);
    this.#surroundings.rng.fill(chosenMac);
    // A station's (IEEE 802 section 8.4: locally administered).
    chosenMac[0] = (chosenMac[0]! & 0xfc) | 2;
    const known: Known = { fields, chosenMac, addresses: [] };
    const socket = action.adminUp ? await this.#open(link, fields, known, action.mtu) : null;
    if (socket !== null && 'code' in socket) return socket;
    port.adjacency = this.#forwarding.adjacencies.obtain(AdjacencyKind.link, link.index, null);
    link.ethernet = port;
    this.#known.set(port, known);
    if (socket !== null) this.#start(port, socket, known);
    return null;
  }

  /** Makes a link's device as the action says. Does not touch `link.mtu` and `link.adminUp`. */
  async update(link: Link, port: EthernetPort, action: LinkSet): Promise<Problem | null> {
    const fields = canonical(action);
    if ('code' in fields) return fields;
    const known = this.#known.get(port)!;
    const { socket } = port;
    // Each way opens or changes one device, once: other workers count on it (workers/tun.ts).
    if (!action.adminUp) await this.#close(link, port);
    else if (socket === null || socket.gone || !sameDevice(known.fields, fields)) {
      // Two devices of one name cannot be: the old one goes first.
      if (link.type === 'tap') await this.#close(link, port);
      const opened = await this.#open(link, fields, known, action.mtu);
      if ('code' in opened) return opened;
      await this.#close(link, port);
      this.#start(port, opened, known);
    } else {
      const failed = await attempt(socket, action.mtu);
      if (failed !== null) return failed;
    }
    known.fields = fields;
    return null;
  }

  async remove(link: Link, port: EthernetPort): Promise<void> {
    await this.#close(link, port);
    link.ethernet = null;
    this.#forwarding.adjacencies.release(port.adjacency);
    this.#known.delete(port);
  }

  /** What the row says of the device besides. One that somebody took away makes the link down, so that whoever compares sets it up again. */
  fields(link: Link, port: EthernetPort): DeviceFields & { readonly adminUp: boolean; readonly operUp: boolean } {
    const there = port.socket?.gone !== true;
    return { ...this.#known.get(port)!.fields, adminUp: link.adminUp && there, operUp: link.operUp && there };
  }

  /** The addresses of the link, and those that it answers for beside them, are these from now on: each once. */
  setAddresses(port: EthernetPort, addresses: readonly Prefix[]): void {
    const known = this.#known.get(port)!;
    const { station } = port;
    if (station !== null) {
      const before = new Set(known.addresses.map(formatPrefix));
      const after = new Set(addresses.map(formatPrefix));
      for (const one of addresses) if (!before.has(formatPrefix(one))) station.addAddress(one, this.#now());
      for (const one of known.addresses) if (!after.has(formatPrefix(one))) station.removeAddress(one);
    }
    known.addresses = addresses;
  }

  /** Ports, and at most `limit` of their neighbours. */
  report(limit: number, now: Millis): NeighboursReply {
    const ports: PortRow[] = [];
    const neighbours: NeighbourRow[] = [];
    let total = 0;
    for (const link of this.#forwarding.links) {
      const port = link?.ethernet ?? null;
      if (port === null) continue;
      const { station } = port;
      ports.push({
        link: link!.name,
        mac: station === null ? null : formatMac(station.mac),
        up: port.up,
        addresses: (station?.own.all ?? []).map((own) => ({
          address: `${formatIp(own.address)}/${own.bits}`,
          state: own.state,
          conflicts: own.conflicts,
        })),
      });
      if (station === null) continue;
      const { table } = station.neighbours;
      total += table.count;
      for (let entry = 0; entry < table.capacity && neighbours.length < limit; entry++)
        if (table.state[entry] !== NeighbourState.free)
          neighbours.push({
            link: link!.name,
            address: formatIp(table.address(entry)),
            mac: table.state[entry] === NeighbourState.incomplete ? null : formatMac(station.neighbours.macOf(entry)),
            state: stateName(table.state[entry]!, station.neighbours.isReachable(entry, now)),
            confirmedSecondsAgo:
              table.confirmedAt[entry] === 0 ? null : Math.floor((now - table.confirmedAt[entry]!) / 1000),
          });
    }
    return { ports, total, neighbours };
  }

  async #open(link: Link, fields: DeviceFields, known: Known, mtu: number): Promise<EthernetSocket | Problem> {
    const { openEthernet } = this.#surroundings;
    if (openEthernet === undefined) return problem('intent.unsupported', 'this engine has no Ethernet ports', 'type');
    const { device, vlanId: vlan } = fields;
    const attach = link.type === 'tap' ? 'tap' : 'interface';
    const said = fields.mac === null ? null : parseMac(fields.mac);
    const own = attach === 'tap' ? known.chosenMac : null;
    try {
      return await openEthernet({ attach, device, mac: said?.ok === true ? said.value : own, vlan, mtu });
    } catch (thrown) {
      return toProblem(thrown);
    }
  }

  #start(port: EthernetPort, socket: EthernetSocket, known: Known): void {
    const station = port.open(socket, this.#surroundings.rng.uint32());
    const now = this.#now();
    station.addAddress({ address: linkLocal(socket.mac), bits: LINK_LOCAL_BITS }, now);
    for (const address of known.addresses) station.addAddress(address, now);
    socket.onReadable(() => this.#readable(port));
    socket.onChange((lost) => {
      port.suspect(lost);
      this.#tick();
    });
    port.tick(now);
  }

  async #close(link: Link, port: EthernetPort): Promise<void> {
    await port.close();
    link.operUp = false;
  }
}

/**
 * fe80::/64 with the MAC address in it, as RFC 2464 section 4 forms one, but for `ff:fd` where that has `ff:fe`: the kernel has the other
 * on an interface that is its own too, and both would answer.
 */
export function linkLocal(mac: Uint8Array): Uint8Array {
  const address = new Uint8Array(16);
  address.set([0xfe, 0x80]);
  address.set([mac[0]! ^ 2, mac[1]!, mac[2]!, 0xff, 0xfd, mac[3]!, mac[4]!, mac[5]!], 8);
  return address;
}

const stateNames = Object.entries(NeighbourState) as readonly (readonly [NeighbourRow['state'], number])[];

/** Nobody has looked at a neighbour since it was good: it is stale, and will be found so. */
function stateName(state: number, isReachable: boolean): NeighbourRow['state'] {
  if (state === NeighbourState.reachable && !isReachable) return 'stale';
  return stateNames.find(([, number]) => number === state)![0];
}

function sameDevice(a: DeviceFields, b: DeviceFields): boolean {
  return a.device === b.device && a.mac === b.mac && a.vlanId === b.vlanId;
}

async function attempt(socket: EthernetSocket, mtu: number): Promise<Problem | null> {
  try {
    await socket.configure(mtu);
    return null;
  } catch (thrown) {
    return toProblem(thrown);
  }
}

/** The device as the action says it, or the first thing wrong with it. */
function canonical(action: LinkSet): DeviceFields | Problem {
  const { vlanId = null } = action;
  const device = parseInterfaceName(action.device ?? '', 'device');
  if (!device.ok) return device.error;
  let mac: string | null = null;
  if (action.mac !== undefined && action.mac !== null) {
    const parsed = parseMac(action.mac, 'mac');
    if (!parsed.ok) return parsed.error;
    mac = formatMac(parsed.value);
  }
  if (vlanId !== null && !(Number.isInteger(vlanId) && vlanId >= 1 && vlanId <= MAX_VLAN))
    return problem('input.invalid', `vlanId is a whole number from 1 to ${MAX_VLAN}`, 'vlanId');
  if (vlanId !== null && action.type === 'tap')
    return problem('input.invalid', 'a TAP has no VLANs: make one for each', 'vlanId');
  return { device: device.value, mac, vlanId };
}
