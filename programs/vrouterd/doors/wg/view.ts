/** What the daemon knows of one WireGuard interface, as wg(8) asks for it. Secrets come from what was said; the plane tells none. */
import { parseKey } from '@vrouter/core/bytes.ts';
import { Secret } from '@vrouter/core/secret.ts';
import type { IntentKey, PeerIntent } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey, Observed, WireguardDeviceObject, WireguardPeerObject } from '@vrouter/intent/model/objects.ts';
import type { UapiDevice, UapiPeer } from '@vrouter/wire/uapi/reply.ts';
import type { Daemon } from '../../daemon.ts';
import type { WgFacts } from './change.ts';

export const SOURCE = 'wg';

/** What of the daemon this door uses. */
export type WgDaemon = Pick<Daemon, 'badIntents' | 'desired' | 'store' | 'reconciler' | 'peersOf' | 'move'>;

export function peerObjectKey(link: string, publicKey: string): ObjectKey {
  return `wireguardPeer/${link}/${publicKey}` as ObjectKey;
}

export function peerIntentKey(link: string, publicKey: string): IntentKey {
  return `peer/${link}/${publicKey}` as IntentKey;
}

/** Null while the plane does not have the interface. */
export async function deviceView(daemon: WgDaemon, link: string): Promise<UapiDevice | null> {
  const peers = await daemon.peersOf(link);
  const device = observedDevice(daemon, link);
  if (device === null) return null;
  return {
    privateKey: privateKeyOf(daemon, link),
    listenPort: localPortOf(device) ?? device.object.listenPort,
    fwmark: 0,
    peers: peers
      .map((peer) => peerView(daemon, peer))
      .sort((a, b) => (a.publicKey.toHex() < b.publicKey.toHex() ? -1 : 1)),
  };
}

export function wgFacts(daemon: WgDaemon, link: string): WgFacts | null {
  const device = observedDevice(daemon, link);
  if (device === null) return null;
  const own = new Map<string, PeerIntent>();
  for (const { intent } of daemon.desired.intents(SOURCE))
    if (intent.kind === 'peer' && intent.interface === link) own.set(intent.publicKey, intent);
  const unreadable = new Set<string>();
  const stem = peerIntentKey(link, '');
  for (const { source, key } of daemon.badIntents.all())
    if (source === SOURCE && key.startsWith(stem)) unreadable.add(key.slice(stem.length));
  const holder = daemon.desired.intentsOf(`wireguardDevice/${link}` as ObjectKey)[0];
  return {
    interface: link,
    managed: holder?.source === 'controller',
    privateKey: privateKeyOf(daemon, link),
    publicKey: typeof device.learned.publicKey === 'string' ? device.learned.publicKey : null,
    listenPort: device.object.listenPort,
    localPort: localPortOf(device),
    own,
    unreadable,
    other: (publicKey) => {
      const of = daemon.desired.intentsOf(peerObjectKey(link, publicKey))[0];
      return of !== undefined && of.source !== SOURCE && of.intent.kind === 'peer' ? of.intent : null;
    },
    endpointOf: (publicKey) => {
      const learned = daemon.reconciler.observed().get(peerObjectKey(link, publicKey))?.learned;
      return typeof learned?.endpoint === 'string' ? learned.endpoint : null;
    },
  };
}

export function wgIntent(daemon: WgDaemon, link: string, publicKey: string): PeerIntent | undefined {
  const intent = daemon.desired.get(SOURCE, peerIntentKey(link, publicKey));
  return intent?.kind === 'peer' ? intent : undefined;
}

function peerView(daemon: WgDaemon, { key, object, learned }: Observed<WireguardPeerObject>): UapiPeer {
  const desired = daemon.desired.desired(key);
  const secret = desired?.kind === 'wireguardPeer' ? desired.presharedKey : null;
  const publicKey = parseKey(object.publicKey);
  if (!publicKey.ok) throw new TypeError(`the plane tells a peer whose key is none: ${object.publicKey}`);
  return {
    publicKey: publicKey.value,
    presharedKey: secret instanceof Secret ? secret.reveal() : null,
    endpoint: typeof learned.endpoint === 'string' ? learned.endpoint : null,
    lastHandshakeUnixMs: typeof learned.lastHandshakeUnixMs === 'number' ? learned.lastHandshakeUnixMs : null,
    rxBytes: Number(learned.rxBytes ?? 0),
    txBytes: Number(learned.txBytes ?? 0),
    persistentKeepalive: object.persistentKeepalive,
    allowedIps: object.allowedIps,
  };
}

function privateKeyOf(daemon: WgDaemon, link: string): Uint8Array | null {
  const device = daemon.desired.desired(`wireguardDevice/${link}` as ObjectKey);
  return device?.kind === 'wireguardDevice' && device.privateKey instanceof Secret ? device.privateKey.reveal() : null;
}

function observedDevice(daemon: WgDaemon, link: string): Observed<WireguardDeviceObject> | null {
  const seen = daemon.reconciler.observed().get(`wireguardDevice/${link}` as ObjectKey);
  return seen?.object.kind === 'wireguardDevice' ? (seen as Observed<WireguardDeviceObject>) : null;
}

function localPortOf({ learned }: Observed<WireguardDeviceObject>): number | null {
  return typeof learned.localPort === 'number' ? learned.localPort : null;
}
