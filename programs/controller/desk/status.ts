/** How vrouters, gateways and peers are: what is configured and what was last heard, in the words of the API. */
import { lifeUsed, stateOfCertificate } from '@vrouter/api/agent/lifetime.ts';
import type { Peer, PeerGateway, PeerLive } from '@vrouter/api/rest/peers.ts';
import type { Rotating, Vrouter, VrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import { FINGERPRINT_LENGTH, presharedKeyText } from '@vrouter/api/wireguard/fingerprint.ts';
import type { GatewayInterfaceIntent, IntentKey } from '@vrouter/intent/model/intents.ts';
import { type Gateway, LOST_MS } from '../agents/gateway.ts';
import type { Roster } from '../agents/roster.ts';
import { sha256Hex } from '../ca/keys.ts';
import type { HeadView } from '../desired/head.ts';
import type { PeerRow } from '../store/peers.ts';
import type { NetworkRow } from '../store/vrouters.ts';
import { peerTag, vrouterTag } from './tags.ts';

/** The one WireGuard interface that a vrouter has so far. */
export const INTERFACE = 'wg0';
export const INTERFACE_KEY = `gatewayInterface/${INTERFACE}`;
/** The routing table that need not be made. */
export const DEFAULT_VRF = 'default';

/** The routing table that the interface is in, and with it the networks and what is behind the peers. */
export function vrfOf(head: HeadView): string {
  return interfaceOf(head)?.vrf ?? DEFAULT_VRF;
}

/** As it was put, maybe by an older controller, which said less. */
function interfaceOf(head: HeadView): Partial<GatewayInterfaceIntent> | null {
  return head.intent('gatewayInterface', INTERFACE_KEY);
}

export function statusOfVrouter(head: HeadView, gateway: Gateway | undefined, nowUnixMs: number): VrouterStatus {
  const row = gateway?.row;
  const lastPollUnixMs = row?.lastPollUnixMs ?? null;
  const ageMs = lastPollUnixMs === null ? null : Math.max(0, nowUnixMs - lastPollUnixMs);
  return {
    name: head.row.name,
    registered: gateway !== undefined,
    connected: gateway?.connected === true && (gateway.held.size > 0 || (ageMs !== null && ageMs <= LOST_MS)),
    gatewayId: gateway?.id ?? null,
    hostname: row?.hostname ?? null,
    softwareVersion: row?.softwareVersion ?? null,
    plane: row?.plane ?? null,
    publicKey: row?.wireguardPublicKey ?? null,
    keyMadeBy: gateway === undefined ? null : gateway.hasMadeKey ? 'controller' : 'gateway',
    version: head.version,
    storedVersion: row?.storedVersion ?? null,
    appliedVersion: row?.appliedVersion ?? null,
    registeredUnixMs: row?.registeredUnixMs ?? null,
    lastPollUnixMs,
    lastPollAgeMs: ageMs,
    certificateExpiresUnixMs: gateway?.certificate?.notAfterUnixMs ?? null,
    certificate: certificateOf(gateway, nowUnixMs),
    clockOffsetMs: gateway?.clockOffsetMs ?? null,
    serverTimeUnixMs: nowUnixMs,
    errors: gateway?.errors ?? [],
    held: gateway?.holding ?? null,
    stats: gateway?.stats ?? null,
    capabilities: gateway?.capabilities ?? null,
  };
}

function certificateOf(gateway: Gateway | undefined, nowUnixMs: number): VrouterStatus['certificate'] {
  const lockoutUnixMs = gateway?.lockoutUnixMs ?? null;
  if (gateway?.certificate == null || lockoutUnixMs === null) return null;
  return {
    state: stateOfCertificate(gateway.certificate, nowUnixMs),
    lifeUsed: lifeUsed(gateway.certificate, nowUnixMs),
    lockoutUnixMs,
    lockoutInMs: lockoutUnixMs - nowUnixMs,
  };
}

export function describeVrouter(
  head: HeadView,
  networks: readonly NetworkRow[],
  peers: number,
  rotating: Rotating,
  roster: Roster,
  nowUnixMs: number,
): Vrouter {
  const { id, name, listenPort, endpoint, mtu, createdUnixMs } = head.row;
  return {
    id,
    name,
    interface: INTERFACE,
    vrf: vrfOf(head),
    networks: networks.map((network) => network.prefix),
    addresses: networks.map((network) => network.gatewayAddress),
    listenPort,
    endpoint,
    mtu,
    mssClamp: interfaceOf(head)?.mssClamp ?? 'auto',
    sourceCheck: interfaceOf(head)?.sourceCheck ?? 'off',
    peers,
    rotating,
    createdUnixMs,
    status: statusOfVrouter(head, roster.of(id), nowUnixMs),
    etag: vrouterTag(head, networks, INTERFACE_KEY),
  };
}

/** Key of the intent of a peer. */
export function peerKeyOf(row: Pick<PeerRow, 'publicKey'>): IntentKey {
  return `peer/${INTERFACE}/${row.publicKey}` as IntentKey;
}

export function describePeer(head: HeadView, row: PeerRow, gateway: Gateway | undefined): Peer {
  const key = peerKeyOf(row);
  const intent = head.intent('peer', key);
  return {
    vrouter: head.row.name,
    name: row.name,
    publicKey: row.publicKey,
    hasPresharedKey: intent !== null && intent.presharedKey !== null,
    presharedKeyFingerprint: fingerprintOf(row.publicKey, intent?.presharedKey ?? null),
    addresses: JSON.parse(row.addresses) as string[],
    allowedIps: [...(intent?.allowedIps ?? [])],
    endpoint: intent?.endpoint ?? null,
    persistentKeepalive: intent?.persistentKeepalive ?? 0,
    createdUnixMs: row.createdUnixMs,
    live: liveOf(gateway, row.publicKey),
    etag: peerTag(head, row, key),
  };
}

function fingerprintOf(publicKey: string, presharedKey: string | null): string | null {
  if (presharedKey === null) return null;
  return sha256Hex(presharedKeyText(publicKey, presharedKey)).slice(0, FINGERPRINT_LENGTH);
}

export function describePeerGateway(
  head: HeadView,
  networks: readonly NetworkRow[],
  gateway: Gateway | undefined,
): PeerGateway {
  return {
    publicKey: gateway?.row.wireguardPublicKey ?? null,
    endpoint: head.row.endpoint,
    allowedIps: networks.map((network) => network.prefix),
    mtu: head.row.mtu,
  };
}

function liveOf(gateway: Gateway | undefined, publicKey: string): PeerLive | null {
  const heard = gateway?.peers.get(publicKey);
  if (heard === undefined) return null;
  const { endpoint, lastHandshakeUnixMs, rxBytes, txBytes, rxPackets, txPackets } = heard.stats;
  return { endpoint, lastHandshakeUnixMs, rxBytes, txBytes, rxPackets, txPackets, heardUnixMs: heard.heardUnixMs };
}
