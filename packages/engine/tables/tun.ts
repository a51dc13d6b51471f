/**
 * TUN links: the device, and what the host has on its side of it. Both are the link's own: they come with `link.set` and go with
 * `link.remove`. The device is there while the link is up, and its kernel side with it.
 */
import { formatPrefix, parseInterfaceAddress, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem, toProblem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';
import type { Action } from '../control/messages.ts';
import type { Counters } from '../graph/counters.ts';
import type { HostSide, OpenTun, TunSocket } from '../ports/frames.ts';
import { TunPort } from '../ports/tun/port.ts';
import type { Link } from '../state/forwarding.ts';

type LinkSet = Extract<Action, { do: 'link.set' }>;

/** What TUN links need of the world. */
export interface TunSurroundings {
  /** Left out where there are no TUN devices. */
  readonly openTun?: OpenTun;
}

/** The kernel's side of a link as its row tells it. */
export interface HostFields {
  readonly hostAddresses: readonly string[];
  readonly hostRoutes: readonly string[];
}

export interface TunFields extends HostFields {
  readonly adminUp: boolean;
  readonly operUp: boolean;
  /** Left out while there is no device, or one that cannot say. */
  readonly superPackets?: 'none' | 'tcp' | 'tcp+udp';
}

export class TunTable {
  readonly #surroundings: TunSurroundings;
  readonly #counters: Counters;
  readonly #readable: (port: TunPort) => void;
  readonly #sides: Map<TunPort, HostFields>;

  /** `readable` is called when a port's socket has something. */
  constructor(surroundings: TunSurroundings, counters: Counters, readable: (port: TunPort) => void) {
    this.#surroundings = surroundings;
    this.#counters = counters;
    this.#readable = readable;
    this.#sides = new Map();
  }

  /** Gives a new link its port, and the device if it is to be up. */
  async create(link: Link, action: LinkSet): Promise<Problem | null> {
    const fields = canonical(action);
    if ('code' in fields) return fields;
    const port = new TunPort(link.index, this.#counters);
    const failed = link.adminUp ? await this.#open(port, link, { ...fields, mtu: link.mtu }) : null;
    if (failed !== null) return failed;
    link.tun = port;
    this.#sides.set(port, fields);
    return null;
  }

  /** Makes a link's device as the action says. Does not touch `link.mtu` and `link.adminUp`. */
  async update(link: Link, port: TunPort, action: LinkSet): Promise<Problem | null> {
    const fields = canonical(action);
    if ('code' in fields) return fields;
    if (!action.adminUp || port.socket?.gone === true) await this.#close(link, port);
    if (action.adminUp) {
      const side = sideOf({ ...fields, mtu: action.mtu });
      const failed =
        port.socket === null
          ? await this.#open(port, link, { ...fields, mtu: action.mtu })
          : await attempt(port.socket, side);
      if (failed !== null) return failed;
    }
    this.#sides.set(port, fields);
    return null;
  }

  async remove(link: Link, port: TunPort): Promise<void> {
    await this.#close(link, port);
    link.tun = null;
    this.#sides.delete(port);
  }

  /** What the row says of the device besides. One that somebody took away makes the link down, so that whoever compares sets it up again. */
  fields(link: Link, port: TunPort): TunFields {
    const { socket } = port;
    const there = socket?.gone !== true;
    const offloads = there ? socket?.offloads : undefined;
    const state = { adminUp: link.adminUp && there, operUp: link.operUp && there };
    const fields = { ...this.#sides.get(port)!, ...state };
    if (offloads === undefined) return fields;
    return { ...fields, superPackets: offloads?.tcp !== true ? 'none' : offloads.udp ? 'tcp+udp' : 'tcp' };
  }

  async #open(port: TunPort, link: Link, side: HostFields & { readonly mtu: number }): Promise<Problem | null> {
    const { openTun } = this.#surroundings;
    if (openTun === undefined) return problem('intent.unsupported', 'this engine cannot open TUN devices', 'type');
    let socket: TunSocket;
    try {
      socket = await openTun(link.name, sideOf(side));
    } catch (thrown) {
      return toProblem(thrown);
    }
    port.open(socket);
    socket.onReadable(() => this.#readable(port));
    link.operUp = true;
    return null;
  }

  async #close(link: Link, port: TunPort): Promise<void> {
    const { socket } = port;
    port.socket = null;
    link.operUp = false;
    await socket?.close();
  }
}

function sideOf({ mtu, hostAddresses, hostRoutes }: HostFields & { readonly mtu: number }): HostSide {
  return { mtu, addresses: hostAddresses, routes: hostRoutes };
}

async function attempt(socket: TunSocket, side: HostSide): Promise<Problem | null> {
  try {
    await socket.configure(side);
    return null;
  } catch (thrown) {
    return toProblem(thrown);
  }
}

/** The host's side as the action says it: canonical, in its order; or the first thing wrong with it. */
function canonical(action: LinkSet): HostFields | Problem {
  const hostAddresses = allOf(action.hostAddresses ?? [], 'hostAddresses', parseInterfaceAddress);
  if ('code' in hostAddresses) return hostAddresses;
  const hostRoutes = allOf(action.hostRoutes ?? [], 'hostRoutes', parsePrefix);
  if ('code' in hostRoutes) return hostRoutes;
  return { hostAddresses, hostRoutes };
}

function allOf(
  texts: readonly string[],
  field: string,
  parse: (text: string, field: string) => Result<Parameters<typeof formatPrefix>[0]>,
): readonly string[] | Problem {
  const found: string[] = [];
  for (const [i, text] of texts.entries()) {
    const parsed = parse(text, `${field}[${i}]`);
    if (!parsed.ok) return parsed.error;
    found.push(formatPrefix(parsed.value));
  }
  return found;
}
