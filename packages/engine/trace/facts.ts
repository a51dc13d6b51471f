/** What the tables say about a row: read again after the node has used them, since nodes do not tell. Between two breaths nothing changes. */
import { formatPrefix, networkOf } from '@vrouter/core/prefix.ts';
import type { WireguardPeer } from '@vrouter/protocols/wireguard/device.ts';
import { IPV4_DST_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_DST_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import type { PacketBatch } from '../batch/packet-batch.ts';
import { AdjacencyKind } from '../state/adjacency.ts';
import type { Forwarding, Vrf } from '../state/forwarding.ts';

export interface Facts {
  [name: string]: string | number;
}

const kindNames = new Map<number, string>(Object.entries(AdjacencyKind).map(([name, number]) => [number, name]));

/** Who sent it. `opened`: it was what it said, so the peer is known. */
export function inputFacts({ links }: Forwarding, batch: PacketBatch, row: number, opened: boolean): Facts {
  const link = links[batch.ingress[row]!];
  const facts: Facts = { link: link?.name ?? '' };
  const port = link?.wireguard ?? null;
  if (port === null) return facts;
  facts.endpoint = batch.endpoint[row]!.text;
  const from = port.device.receivedFrom;
  if (opened && from !== null) facts.peer = from.publicKey.toBase64();
  return facts;
}

/** Whether the datagram came from where this peer was last heard. Not proof: what could not be opened may be anybody's. */
export function isFrom({ links }: Forwarding, batch: PacketBatch, row: number, publicKey: Uint8Array): boolean {
  const peer = links[batch.ingress[row]!]?.wireguard?.device.peer(publicKey);
  return peer != null && peer.endpoint?.text === batch.endpoint[row]!.text;
}

/** The peer that sent a packet which was opened: nobody else's allowed IPs cover its source. Null: it came from no peer. */
export function senderOf({ links }: Forwarding, batch: PacketBatch, row: number, source: Uint8Array): string | null {
  const device = links[batch.ingress[row]!]?.wireguard?.device;
  return device?.route(source, 0, source.length === 4 ? 4 : 16)?.publicKey.toBase64() ?? null;
}

/** What ip-lookup found: the VRF, the prefix, and where that leads. */
export function adjacencyFacts({ vrfs, adjacencies, links }: Forwarding, batch: PacketBatch, row: number): Facts {
  const vrf = vrfs[batch.vrf[row]!];
  const adjacency = batch.adjacency[row]!;
  const kind = adjacencies.kind[adjacency]!;
  const facts: Facts = { vrf: vrf?.name ?? '' };
  const prefix = vrf == null ? null : prefixOf(vrf, batch, row);
  if (prefix !== null) facts.prefix = prefix;
  facts.to = kindNames.get(kind) ?? '';
  if (kind !== AdjacencyKind.link) return facts;
  facts.link = links[adjacencies.link[adjacency]!]?.name ?? '';
  const nextHop = adjacencies.nextHop(adjacency);
  if (nextHop !== null) facts.nextHop = nextHop;
  return facts;
}

function prefixOf(vrf: Vrf, batch: PacketBatch, row: number): string | null {
  const { bytes } = batch.region[row]!;
  const at = batch.offset[row]!;
  const four = bytes[at]! >>> 4 === 4;
  const address = four
    ? bytes.slice(at + IPV4_DST_AT, at + IPV4_DST_AT + 4)
    : bytes.slice(at + IPV6_DST_AT, at + IPV6_DST_AT + 16);
  const fib = vrf.fib(address.length);
  for (let bits = address.length * 8; bits >= 0; bits--)
    if (fib.get(address, bits) !== 0) return formatPrefix(networkOf({ address, bits }));
  return null;
}

/** Where a packet is about to leave: taken before the output node runs, which seals it. */
export class Outlet {
  readonly link: string;
  /** Public key. */
  readonly peer: string | null;
  readonly #peer: WireguardPeer | null;
  readonly #sealed: number;

  constructor(link: string, peer: WireguardPeer | null) {
    this.link = link;
    this.peer = peer === null ? null : peer.publicKey.toBase64();
    this.#peer = peer;
    this.#sealed = peer?.txPackets ?? 0;
  }

  /** After the node: whether it was sealed, and so is on its way whatever became of others meanwhile. */
  get sealed(): boolean {
    return this.#peer !== null && this.#peer.txPackets !== this.#sealed;
  }

  /** After the node: whether the packet was sealed or waits, and where to. */
  facts(): Facts {
    const facts: Facts = { link: this.link };
    if (this.#peer === null) return facts;
    facts.peer = this.peer!;
    if (this.#peer.endpoint !== null) facts.endpoint = this.#peer.endpoint.text;
    if (!this.sealed) facts.state = 'not sealed: no session yet';
    return facts;
  }
}

export function outletOf({ links }: Forwarding, batch: PacketBatch, row: number): Outlet {
  const link = links[batch.egress[row]!];
  const device = link?.wireguard?.device ?? null;
  if (device === null) return new Outlet(link?.name ?? '', null);
  const { bytes } = batch.region[row]!;
  const at = batch.offset[row]!;
  const four = bytes[at]! >>> 4 === 4;
  return new Outlet(link!.name, device.route(bytes, at + (four ? IPV4_DST_AT : IPV6_DST_AT), four ? 4 : 16));
}
