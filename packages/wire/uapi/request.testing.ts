/** The client's side, for tests: a request as wg(8) writes it, and a reply taken apart. */
import { parseHexKey } from './lines.ts';
import { isZeroKey, type UapiPeerChange, type UapiSet } from './operation.ts';
import type { UapiDevice, UapiPeer } from './reply.ts';

export function formatSet(set: UapiSet): string {
  let text = 'set=1\n';
  if (set.privateKey !== null) text += `private_key=${set.privateKey.toHex()}\n`;
  if (set.listenPort !== null) text += `listen_port=${set.listenPort}\n`;
  if (set.fwmark !== null) text += `fwmark=${set.fwmark}\n`;
  if (set.replacePeers) text += 'replace_peers=true\n';
  for (const peer of set.peers) text += formatPeerChange(peer);
  return `${text}\n`;
}

function formatPeerChange(peer: UapiPeerChange): string {
  let text = `public_key=${peer.publicKey.toHex()}\n`;
  if (peer.remove) text += 'remove=true\n';
  if (peer.updateOnly) text += 'update_only=true\n';
  if (peer.presharedKey !== null) text += `preshared_key=${peer.presharedKey.toHex()}\n`;
  if (peer.endpoint !== null) text += `endpoint=${peer.endpoint}\n`;
  if (peer.persistentKeepalive !== null) text += `persistent_keepalive_interval=${peer.persistentKeepalive}\n`;
  if (peer.replaceAllowedIps) text += 'replace_allowed_ips=true\n';
  for (const { remove, prefix } of peer.allowedIps) text += `allowed_ip=${remove ? '-' : ''}${prefix}\n`;
  return text;
}

type MutablePeer = { -readonly [F in keyof UapiPeer]: UapiPeer[F] } & { allowedIps: string[] };

/** The reply to a `get=1`, whole. Throws what is not one, since a test wants to know. */
export function parseReply(text: string): { device: UapiDevice; errno: number } {
  if (!text.endsWith('\n\n')) throw new Error(`no empty line at the end: ${JSON.stringify(text.slice(-40))}`);
  const device = { privateKey: null as Uint8Array | null, listenPort: -1, fwmark: 0, peers: [] as MutablePeer[] };
  let errno: number | null = null;
  for (const line of text.slice(0, -2).split('\n')) {
    const cut = line.indexOf('=');
    const [name, value] = [line.slice(0, cut), line.slice(cut + 1)];
    const peer = device.peers.at(-1);
    if (name === 'errno') errno = Number(value);
    else if (name === 'private_key') device.privateKey = parseHexKey(value);
    else if (name === 'listen_port') device.listenPort = Number(value);
    else if (name === 'fwmark') device.fwmark = Number(value);
    else if (name === 'public_key') device.peers.push(newPeer(parseHexKey(value)!));
    else if (peer === undefined) throw new Error(`not a line of a device: ${line}`);
    else takePeerLine(peer, name, value);
  }
  if (errno === null) throw new Error('no errno');
  return { device, errno };
}

function takePeerLine(peer: MutablePeer, name: string, value: string): void {
  if (name === 'preshared_key') peer.presharedKey = isZeroKey(parseHexKey(value)!) ? null : parseHexKey(value);
  else if (name === 'endpoint') peer.endpoint = value;
  else if (name === 'last_handshake_time_sec') peer.lastHandshakeUnixMs = Number(value) * 1000 || null;
  else if (name === 'last_handshake_time_nsec') {
    if (peer.lastHandshakeUnixMs !== null) peer.lastHandshakeUnixMs += Number(value) / 1_000_000;
  } else if (name === 'tx_bytes') peer.txBytes = Number(value);
  else if (name === 'rx_bytes') peer.rxBytes = Number(value);
  else if (name === 'persistent_keepalive_interval') peer.persistentKeepalive = Number(value);
  else if (name === 'allowed_ip') peer.allowedIps.push(value);
  else if (name !== 'protocol_version' || value !== '1') throw new Error(`not a line of a peer: ${name}=${value}`);
}

function newPeer(publicKey: Uint8Array): MutablePeer {
  return {
    publicKey,
    presharedKey: null,
    endpoint: null,
    lastHandshakeUnixMs: null,
    rxBytes: 0,
    txBytes: 0,
    persistentKeepalive: 0,
    allowedIps: [],
  };
}
