/** Replies of the userspace interface: what `get=1` tells, and the errno that ends every reply. */
import type { Errno } from './errno.ts';

export interface UapiPeer {
  readonly publicKey: Uint8Array;
  /** Null: there is none, which is told as zeros. */
  readonly presharedKey: Uint8Array | null;
  readonly endpoint: string | null;
  /** Null: there was none yet, which is told as zero. */
  readonly lastHandshakeUnixMs: number | null;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly persistentKeepalive: number;
  readonly allowedIps: readonly string[];
}

export interface UapiDevice {
  /** Clamped; null: there is none. */
  readonly privateKey: Uint8Array | null;
  readonly listenPort: number;
  readonly fwmark: number;
  readonly peers: readonly UapiPeer[];
}

const NO_KEY = '0'.repeat(64);

/** All that there is to tell of a device, without the errno. */
export function formatDevice(device: UapiDevice): string {
  let text = '';
  if (device.privateKey !== null) text += `private_key=${device.privateKey.toHex()}\n`;
  text += `listen_port=${device.listenPort}\n`;
  if (device.fwmark !== 0) text += `fwmark=${device.fwmark}\n`;
  for (const peer of device.peers) text += formatPeer(peer);
  return text;
}

/** The end of every reply, `get` or `set`. Errors go out negated, as wireguard-go sends them and wg(8) takes them. */
export function formatErrno(errno: Errno): string {
  return `errno=${errno === 0 ? 0 : -errno}\n\n`;
}

function formatPeer(peer: UapiPeer): string {
  const at = peer.lastHandshakeUnixMs ?? 0;
  let text = `public_key=${peer.publicKey.toHex()}\n`;
  text += `preshared_key=${peer.presharedKey === null ? NO_KEY : peer.presharedKey.toHex()}\n`;
  text += 'protocol_version=1\n';
  if (peer.endpoint !== null) text += `endpoint=${peer.endpoint}\n`;
  text += `last_handshake_time_sec=${Math.floor(at / 1000)}\n`;
  text += `last_handshake_time_nsec=${Math.floor(at % 1000) * 1_000_000}\n`;
  text += `tx_bytes=${peer.txBytes}\nrx_bytes=${peer.rxBytes}\n`;
  text += `persistent_keepalive_interval=${peer.persistentKeepalive}\n`;
  for (const prefix of peer.allowedIps) text += `allowed_ip=${prefix}\n`;
  return text;
}
