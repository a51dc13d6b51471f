/**
 * The engine's tables as the outside sees them: actions in, rows out. An action is judged whole before it changes anything; done
 * twice it changes nothing the second time; removing what is not there is done already. What something else stands on is not
 * removed (`object.dependency`).
 */
import { parseInterfaceName, parseName } from '@vrouter/core/names.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';
import type { Millis } from '@vrouter/core/time.ts';
import type { Action, DumpRow, NeighboursReply, RowId } from '../control/messages.ts';
import type { Counters } from '../graph/counters.ts';
import type { Nat } from '../nat/nat.ts';
import { type Forwarding, freeIndex, Link, NO_CLAMP, SourceCheck, Vrf } from '../state/forwarding.ts';
import type { EthernetTable } from './ethernet.ts';
import { NatTable } from './nat.ts';
import { Routes } from './routes.ts';
import type { TunTable } from './tun.ts';
import type { WireguardTable } from './wireguard.ts';

/** The VRF that always exists. */
export const DEFAULT_VRF = 'default';
/** IPv4 hosts must take 68 bytes (RFC 791 section 3.2); above, an outer UDP datagram must still hold it. */
const MIN_MTU = 68;
const MAX_MTU = 65_455;
const MAX_TABLE_ID = 0xffffffff;
const sourceChecks = ['off', 'loose', 'strict'] as const;

export class Tables {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #wireguard: WireguardTable;
  readonly #tun: TunTable;
  readonly #ethernet: EthernetTable;
  readonly #routes: Routes;
  readonly nat: NatTable;
  readonly #vrfs: Map<string, Vrf>;
  readonly #links: Map<string, Link>;

  constructor(
    forwarding: Forwarding,
    counters: Counters,
    wireguard: WireguardTable,
    tun: TunTable,
    ethernet: EthernetTable,
    nat: Nat,
  ) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#wireguard = wireguard;
    this.#tun = tun;
    this.#ethernet = ethernet;
    this.#routes = new Routes(forwarding);
    this.nat = new NatTable(forwarding, nat, this.#routes);
    this.#vrfs = new Map();
    this.#links = new Map();
    this.#setVrf(DEFAULT_VRF, 0);
  }

  /** Does one action; null when done, else why nothing was. Only actions that open or close a socket take time. */
  apply(action: Action): Problem | null | Promise<Problem | null> {
    if (action.do.startsWith('link.') || action.do.startsWith('address.')) this.nat.touch();
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
        return this.#withLink(action.link, (link) =>
          link.type === 'wireguard'
            ? this.#setWireguard(link, action)
            : problem('input.invalid', `${link.name} is of type ${link.type}`, 'link'),
        );
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
        return this.#withLink(action.link, (link) => {
          const failed = this.#routes.addAddress(link, action.address);
          this.#tellPort(link);
          return failed;
        });
      case 'address.remove': {
        const link = this.#links.get(action.link);
        if (link === undefined) return null;
        const failed = this.#routes.removeAddress(link, action.address);
        this.#tellPort(link);
        return failed;
      }
      case 'route.set':
        return this.#setRoute(action);
      case 'route.remove': {
        const vrf = this.#vrfs.get(action.vrf);
        return vrf === undefined ? null : this.#routes.remove(vrf, action.prefix);
      }
      case 'natSettings.set':
        return this.nat.setSettings(action);
      case 'natSettings.remove':
        return this.nat.removeSettings();
      case 'natPool.set':
        return this.nat.setPool(action);
      case 'natPool.remove':
        return this.nat.removePool(action.name);
      case 'masquerade.set':
        return this.#setMasquerade(action);
      case 'publish.set': {
        const vrf = this.#vrfs.get(action.vrf);
        return vrf === undefined ? missing(`there is no VRF ${action.vrf}`, 'vrf') : this.nat.setPublish(action, vrf);
      }
      case 'floating.set': {
        const vrf = this.#vrfs.get(action.vrf);
        return vrf === undefined ? missing(`there is no VRF ${action.vrf}`, 'vrf') : this.nat.setFloating(action, vrf);
      }
      case 'natRule.remove':
        return this.nat.removeRule(action.name);
    }
  }

  /** To be called when a list of actions is done, before packets have a turn: what follows from all of them together. */
  settle(): void {
    if (!this.nat.settle()) return;
    for (const link of this.#links.values()) this.#tellPort(link);
  }

  /** All rows, or those of the named that exist. Nothing may be changed before the last is taken. */
  *rows(only?: readonly RowId[]): Iterable<DumpRow> {
    if (only !== undefined) {
      for (const id of only) {
        const row = this.#row(id);
        if (row !== null) yield row;
      }
      return;
    }
    for (const vrf of this.#vrfs.values()) yield vrfRow(vrf);
    for (const link of this.#links.values()) yield this.#linkRow(link);
    for (const link of this.#links.values()) {
      const device = this.#wireguard.row(link);
      if (device !== null) yield device;
      yield* this.#routes.addressRows(link);
      yield* this.#wireguard.peerRows(link);
    }
    for (const vrf of this.#vrfs.values()) yield* this.#routes.rows(vrf);
    yield* this.nat.rows();
  }

  /** As `rows`, of the peers alone whose sessions are on this worker. */
  *ownPeers(only?: readonly RowId[]): Iterable<DumpRow> {
    if (only === undefined) {
      for (const link of this.#links.values()) yield* this.#wireguard.peerRows(link, true);
      return;
    }
    for (const id of only) {
      const link = id.is === 'peer' ? this.#links.get(id.link) : undefined;
      const row = id.is === 'peer' && link !== undefined ? this.#wireguard.peerRow(link, id.publicKey, true) : null;
      if (row !== null) yield row;
    }
  }

  /** Ethernet ports and at most `limit` of their neighbours. */
  neighbours(limit: number, now: Millis): NeighboursReply {
    return this.#ethernet.report(limit, now);
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
    if (id.is === 'natSettings') return this.nat.settingsRow();
    if (id.is === 'natPool') return this.nat.poolRow(id.name);
    if (id.is === 'natRule') return this.nat.ruleRow(id.name);
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
      type: link.type,
      vrf: this.#forwarding.vrfs[link.vrf]!.name,
      mtu,
      adminUp,
      index,
      operUp,
      ...(link.tun === null ? {} : this.#tun.fields(link, link.tun)),
      ...(link.ethernet === null ? {} : this.#ethernet.fields(link, link.ethernet)),
      mssClamp: link.clampMtu !== NO_CLAMP,
      sourceCheck: sourceChecks[link.sourceCheck],
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
    const rules = this.nat.rulesOn(vrf);
    if (rules > 0) return problem('object.dependency', `VRF ${name} has ${rules} NAT rules; remove them first`, 'name');
    this.#vrfs.delete(name);
    this.#forwarding.vrfs[vrf.index] = null;
    return null;
  }

  async #setLink(action: Extract<Action, { do: 'link.set' }>): Promise<Problem | null> {
    const bad = wrong(parseInterfaceName(action.name, 'name')) ?? inRange(action.mtu, MIN_MTU, MAX_MTU, 'mtu');
    if (bad !== null) return bad;
    const vrf = this.#vrfs.get(action.vrf);
    if (vrf === undefined) return missing(`there is no VRF ${action.vrf}`, 'vrf');
    if (action.type !== 'tun' && (action.hostAddresses ?? action.hostRoutes) !== undefined)
      return problem('input.invalid', 'only a link of type tun has a host side', 'type');
    const isEthernet = action.type === 'port' || action.type === 'tap';
    if (!isEthernet && (action.device ?? action.mac ?? action.vlanId) !== undefined)
      return problem('input.invalid', 'only a link of type port or tap has a device', 'type');
    const known = this.#links.get(action.name);
    if (known === undefined) {
      const index = freeIndex(this.#forwarding.links);
      const link = new Link(index, action.name, vrf.index, action.mtu, action.adminUp, action.type);
      const failed = await this.#makePort(link, action);
      if (failed !== null) return failed;
      protect(link, action);
      this.#counters.openLink(link.index);
      this.#forwarding.links[link.index] = link;
      this.#links.set(link.name, link);
      this.#routes.openLink(link);
      return null;
    }
    if (known.type !== action.type)
      return problem('object.exists', `link ${known.name} is of type ${known.type}; remove it first`, 'type');
    if (known.tun !== null) {
      const failed = await this.#tun.update(known, known.tun, action);
      if (failed !== null) return failed;
      known.adminUp = action.adminUp;
    } else if (known.ethernet !== null) {
      const failed = await this.#ethernet.update(known, known.ethernet, action);
      if (failed !== null) return failed;
      known.adminUp = action.adminUp;
    } else if (known.adminUp !== action.adminUp) {
      const failed = await this.#wireguard.setUp(known, action.adminUp);
      if (failed !== null) return failed;
      known.adminUp = action.adminUp;
    }
    known.mtu = action.mtu;
    protect(known, action);
    if (known.vrf !== vrf.index) {
      this.#routes.moveAddresses(known, this.#forwarding.vrfs[known.vrf]!, vrf);
      known.vrf = vrf.index;
    }
    return null;
  }

  async #makePort(link: Link, action: Extract<Action, { do: 'link.set' }>): Promise<Problem | null> {
    if (action.type === 'tun') return this.#tun.create(link, action);
    return action.type === 'wireguard' ? null : this.#ethernet.create(link, action);
  }

  /** An Ethernet port answers for the addresses of its link, and for those of NAT that its networks look for there. */
  #tellPort(link: Link): void {
    if (link.ethernet === null) return;
    this.#ethernet.setAddresses(link.ethernet, [...this.#routes.addressList(link), ...this.nat.addressesOn(link)]);
  }

  async #removeLink(name: string): Promise<Problem | null> {
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
    const rules = this.nat.rulesOn(link);
    if (rules > 0) return problem('object.dependency', `${rules} NAT rules name ${name}; remove them first`, 'name');
    if (link.tun !== null) await this.#tun.remove(link, link.tun);
    if (link.ethernet !== null) await this.#ethernet.remove(link, link.ethernet);
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

  #setMasquerade(action: Extract<Action, { do: 'masquerade.set' }>): Problem | null {
    const vrf = this.#vrfs.get(action.vrf);
    if (vrf === undefined) return missing(`there is no VRF ${action.vrf}`, 'vrf');
    const links: Link[] = [];
    for (const [i, name] of (action.leaving ?? []).entries()) {
      const link = this.#links.get(name);
      if (link === undefined) return missing(`there is no link ${name}`, `leaving[${i}]`);
      links.push(link);
    }
    return this.nat.setMasquerade(action, vrf, links);
  }

  #withLink<T>(name: string, then: (link: Link) => T): T | Problem {
    const link = this.#links.get(name);
    return link === undefined ? missing(`there is no link ${name}`, 'link') : then(link);
  }
}

/** What a link does to packets on their way besides carrying them. Allowed IPs check the sources of a WireGuard link already. */
function protect(link: Link, action: Extract<Action, { do: 'link.set' }>): void {
  link.clampMtu = (action.mssClamp ?? true) ? action.mtu : NO_CLAMP;
  link.sourceCheck = SourceCheck[action.sourceCheck ?? 'off'];
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
