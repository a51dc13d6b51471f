/**
 * The engine's tables as the outside sees them: actions in, rows out. An action is judged whole before it changes anything; done
 * twice it changes nothing the second time; removing what is not there is done already. What something else stands on is not
 * removed (`object.dependency`).
 */
import { parseInterfaceName, parseName } from '@vrouter/core/names.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';
import type { Action, DumpRow, RowId } from '../control/messages.ts';
import type { Counters } from '../graph/counters.ts';
import { type Forwarding, freeIndex, Link, Vrf } from '../state/forwarding.ts';
import { Routes } from './routes.ts';
import type { WireguardTable } from './wireguard.ts';

/** The VRF that always exists. */
export const DEFAULT_VRF = 'default';
/** IPv4 hosts must take 68 bytes (RFC 791 section 3.2); above, an outer UDP datagram must still hold it. */
const MIN_MTU = 68;
const MAX_MTU = 65_455;
const MAX_TABLE_ID = 0xffffffff;

export class Tables {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #wireguard: WireguardTable;
  readonly #routes: Routes;
  readonly #vrfs: Map<string, Vrf>;
  readonly #links: Map<string, Link>;

  constructor(forwarding: Forwarding, counters: Counters, wireguard: WireguardTable) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#wireguard = wireguard;
    this.#routes = new Routes(forwarding);
    this.#vrfs = new Map();
    this.#links = new Map();
    this.#setVrf(DEFAULT_VRF, 0);
  }

  /** Does one action; null when done, else why nothing was. Only actions that open or close a socket take time. */
  apply(action: Action): Problem | null | Promise<Problem | null> {
    switch (action.do) {
      case 'vrf.set':
        return this.#setVrf(action.name, action.tableId);
      case 'vrf.remove':
        return this.#removeVrf(action.name);
      case 'link.set':
        return this.#setLink(action);
      case 'link.remove':
        return this.#removeLink(action.name);
      case 'wireguard.set':
        return this.#withLink(action.link, (link) => this.#setWireguard(link, action));
      case 'wireguard.remove': {
        const link = this.#links.get(action.link);
        return link === undefined ? null : this.#wireguard.remove(link);
      }
      case 'peer.set':
        return this.#withLink(action.link, (link) => {
          if (link.wireguard === null) return missing(`${link.name} has no WireGuard device`, 'link');
          const keepalive = action.persistentKeepalive;
          return (
            inRange(keepalive, 0, 0xffff, 'persistentKeepalive') ?? this.#wireguard.setPeer(link.wireguard, action)
          );
        });
      case 'peer.remove': {
        const port = this.#links.get(action.link)?.wireguard ?? null;
        return port === null ? null : this.#wireguard.removePeer(port, action.publicKey);
      }
      case 'address.add':
        return this.#withLink(action.link, (link) => this.#routes.addAddress(link, action.address));
      case 'address.remove': {
        const link = this.#links.get(action.link);
        return link === undefined ? null : this.#routes.removeAddress(link, action.address);
      }
      case 'route.set':
        return this.#setRoute(action);
      case 'route.remove': {
        const vrf = this.#vrfs.get(action.vrf);
        return vrf === undefined ? null : this.#routes.remove(vrf, action.prefix);
      }
    }
  }

  /** All rows, or those of the named that exist. */
  dump(only?: readonly RowId[]): DumpRow[] {
    if (only !== undefined) return only.map((id) => this.#row(id)).filter((row) => row !== null);
    const rows: DumpRow[] = [];
    for (const vrf of this.#vrfs.values()) rows.push(vrfRow(vrf));
    for (const link of this.#links.values()) rows.push(this.#linkRow(link));
    for (const link of this.#links.values()) {
      const device = this.#wireguard.row(link);
      if (device !== null) rows.push(device);
      for (const row of this.#routes.addressRows(link)) rows.push(row);
      for (const row of this.#wireguard.peerRows(link)) rows.push(row);
    }
    for (const vrf of this.#vrfs.values()) for (const row of this.#routes.rows(vrf)) rows.push(row);
    return rows;
  }

  /** As `dump`, of the peers alone whose sessions are on this worker. */
  ownPeers(only?: readonly RowId[]): DumpRow[] {
    const rows: DumpRow[] = [];
    const peers = only?.filter((id) => id.is === 'peer');
    if (peers === undefined)
      for (const link of this.#links.values()) rows.push(...this.#wireguard.peerRows(link, true));
    else
      for (const id of peers) {
        const link = this.#links.get(id.link);
        const row = link === undefined ? null : this.#wireguard.peerRow(link, id.publicKey, true);
        if (row !== null) rows.push(row);
      }
    return rows;
  }

  links(): Iterable<Link> {
    return this.#links.values();
  }

  #row(id: RowId): DumpRow | null {
    if (id.is === 'vrf' || id.is === 'route') {
      const vrf = this.#vrfs.get(id.is === 'vrf' ? id.name : id.vrf);
      if (vrf === undefined) return null;
      return id.is === 'vrf' ? vrfRow(vrf) : this.#routes.row(vrf, id.prefix);
    }
    const link = this.#links.get(id.is === 'link' ? id.name : id.link);
    if (link === undefined) return null;
    switch (id.is) {
      case 'link':
        return this.#linkRow(link);
      case 'wireguard':
        return this.#wireguard.row(link);
      case 'peer':
        return this.#wireguard.peerRow(link, id.publicKey);
      case 'address':
        return this.#routes.addressRow(link, id.address);
    }
  }

  #linkRow(link: Link): DumpRow {
    const { name, mtu, adminUp, index, operUp } = link;
    return {
      is: 'link',
      name,
      type: 'wireguard',
      vrf: this.#forwarding.vrfs[link.vrf]!.name,
      mtu,
      adminUp,
      index,
      operUp,
    };
  }

  #setVrf(name: string, tableId: number): Problem | null {
    const bad = wrong(parseName(name, 'name')) ?? inRange(tableId, 0, MAX_TABLE_ID, 'tableId');
    if (bad !== null) return bad;
    const known = this.#vrfs.get(name);
    if (known !== undefined) {
      known.tableId = tableId;
      return null;
    }
    const vrf = new Vrf(freeIndex(this.#forwarding.vrfs), name, tableId);
    this.#forwarding.vrfs[vrf.index] = vrf;
    this.#vrfs.set(name, vrf);
    this.#routes.openVrf(vrf);
    return null;
  }

  #removeVrf(name: string): Problem | null {
    const vrf = this.#vrfs.get(name);
    if (vrf === undefined) return null;
    if (name === DEFAULT_VRF) return problem('object.dependency', 'the VRF "default" always exists', 'name');
    const links = [...this.#links.values()].filter((link) => link.vrf === vrf.index).length;
    const routes = this.#routes.routesOf(vrf);
    if (links + routes > 0)
      return problem(
        'object.dependency',
        `VRF ${name} has ${links} links and ${routes} routes; remove them first`,
        'name',
      );
    this.#vrfs.delete(name);
    this.#forwarding.vrfs[vrf.index] = null;
    return null;
  }

  async #setLink(action: Extract<Action, { do: 'link.set' }>): Promise<Problem | null> {
    const bad = wrong(parseInterfaceName(action.name, 'name')) ?? inRange(action.mtu, MIN_MTU, MAX_MTU, 'mtu');
    if (bad !== null) return bad;
    const vrf = this.#vrfs.get(action.vrf);
    if (vrf === undefined) return missing(`there is no VRF ${action.vrf}`, 'vrf');
    const known = this.#links.get(action.name);
    if (known === undefined) {
      const link = new Link(freeIndex(this.#forwarding.links), action.name, vrf.index, action.mtu, action.adminUp);
      this.#counters.openLink(link.index);
      this.#forwarding.links[link.index] = link;
      this.#links.set(link.name, link);
      this.#routes.openLink(link);
      return null;
    }
    if (known.adminUp !== action.adminUp) {
      const failed = await this.#wireguard.setUp(known, action.adminUp);
      if (failed !== null) return failed;
      known.adminUp = action.adminUp;
    }
    known.mtu = action.mtu;
    if (known.vrf !== vrf.index) {
      this.#routes.moveAddresses(known, this.#forwarding.vrfs[known.vrf]!, vrf);
      known.vrf = vrf.index;
    }
    return null;
  }

  #removeLink(name: string): Problem | null {
    const link = this.#links.get(name);
    if (link === undefined) return null;
    const peers = link.wireguard?.device.peerCount ?? 0;
    const addresses = this.#routes.addressesOf(link);
    const routes = this.#routes.routesOver(link);
    if (link.wireguard !== null || addresses + routes > 0) {
      const device = link.wireguard === null ? '' : `a WireGuard device with ${peers} peers, `;
      const what = `link ${name} has ${device}${addresses} addresses and ${routes} routes; remove them first`;
      return problem('object.dependency', what, 'name');
    }
    this.#links.delete(name);
    this.#forwarding.links[link.index] = null;
    return null;
  }

  #setWireguard(
    link: Link,
    action: Extract<Action, { do: 'wireguard.set' }>,
  ): Problem | null | Promise<Problem | null> {
    return inRange(action.listenPort, 0, 0xffff, 'listenPort') ?? this.#wireguard.set(link, action);
  }

  #setRoute(action: Extract<Action, { do: 'route.set' }>): Problem | null {
    const vrf = this.#vrfs.get(action.vrf);
    if (vrf === undefined) return missing(`there is no VRF ${action.vrf}`, 'vrf');
    if (action.link === null) return this.#routes.set(vrf, action.prefix, null, action.nextHop);
    const link = this.#links.get(action.link);
    if (link === undefined) return missing(`there is no link ${action.link}`, 'link');
    return this.#routes.set(vrf, action.prefix, link, action.nextHop);
  }

  #withLink<T>(name: string, then: (link: Link) => T): T | Problem {
    const link = this.#links.get(name);
    return link === undefined ? missing(`there is no link ${name}`, 'link') : then(link);
  }
}

function vrfRow(vrf: Vrf): DumpRow {
  return { is: 'vrf', name: vrf.name, tableId: vrf.tableId };
}

function missing(message: string, field: string): Problem {
  return problem('object.dependency', `${message}; make it first`, field);
}

function wrong(result: Result<unknown>): Problem | null {
  return result.ok ? null : result.error;
}

function inRange(value: number, least: number, most: number, field: string): Problem | null {
  if (Number.isInteger(value) && value >= least && value <= most) return null;
  return problem('input.invalid', `${field} is a whole number from ${least} to ${most}`, field);
}
