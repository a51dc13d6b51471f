/** One `key=value` line of a `set=1`, taken into the change that it belongs to. https://www.wireguard.com/xplatform/ */
import { parseEndpoint } from '@vrouter/core/endpoint.ts';
import { formatPrefix, networkOf, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { Errno } from './errno.ts';
import { emptyPeerChange, KEY_BYTES, type UapiPeerChange, type UapiSet } from './operation.ts';

const PORT_MAX = 0xffff;
const FWMARK_MAX = 0xffff_ffff;

/** Takes a line into `into`: keys of the device until a `public_key` was said, keys of its last peer afterwards. */
export function takeSetLine(into: UapiSet, key: string, value: string): Errno {
  if (key === 'public_key') {
    const publicKey = parseHexKey(value);
    if (publicKey === null) return Errno.inval;
    into.peers.push(emptyPeerChange(publicKey));
    return Errno.none;
  }
  const peer = into.peers.at(-1);
  return peer === undefined ? takeDeviceLine(into, key, value) : takePeerLine(peer, key, value);
}

function takeDeviceLine(into: UapiSet, key: string, value: string): Errno {
  switch (key) {
    case 'private_key':
      into.privateKey = parseHexKey(value);
      return said(into.privateKey);
    case 'listen_port':
      into.listenPort = parseNumber(value, PORT_MAX);
      return said(into.listenPort);
    case 'fwmark':
      into.fwmark = parseNumber(value, FWMARK_MAX);
      return said(into.fwmark);
    case 'replace_peers':
      into.replacePeers = true;
      return isTrue(value);
    default:
      return Errno.inval;
  }
}

function takePeerLine(peer: UapiPeerChange, key: string, value: string): Errno {
  switch (key) {
    case 'remove':
      peer.remove = true;
      return isTrue(value);
    case 'update_only':
      peer.updateOnly = true;
      return isTrue(value);
    case 'preshared_key':
      peer.presharedKey = parseHexKey(value);
      return said(peer.presharedKey);
    case 'endpoint': {
      const endpoint = parseEndpoint(value);
      peer.endpoint = endpoint.ok ? endpoint.value.text : null;
      return said(peer.endpoint);
    }
    case 'persistent_keepalive_interval':
      peer.persistentKeepalive = parseNumber(value, PORT_MAX);
      return said(peer.persistentKeepalive);
    case 'replace_allowed_ips':
      peer.replaceAllowedIps = true;
      // What was added before in this very operation goes with the rest.
      peer.allowedIps = [];
      return isTrue(value);
    case 'allowed_ip': {
      const remove = value.startsWith('-');
      const prefix = parsePrefixOf(remove ? value.slice(1) : value);
      if (prefix === null) return Errno.inval;
      peer.allowedIps.push({ remove, prefix });
      return Errno.none;
    }
    case 'protocol_version':
      return value === '1' ? Errno.none : Errno.inval;
    default:
      return Errno.inval;
  }
}

/** 64 hex digits of either case; null when they are not. */
export function parseHexKey(text: string): Uint8Array | null {
  return text.length === 2 * KEY_BYTES && /^[0-9a-fA-F]+$/.test(text) ? Uint8Array.fromHex(text) : null;
}

/** Host bits are cleared, as the kernel does; a length must be said. */
function parsePrefixOf(text: string): string | null {
  if (!text.includes('/')) return null;
  const parsed = parseInterfaceAddress(text);
  return parsed.ok ? formatPrefix(networkOf(parsed.value)) : null;
}

function parseNumber(text: string, most: number): number | null {
  return /^\d{1,10}$/.test(text) && Number(text) <= most ? Number(text) : null;
}

const said = (value: unknown): Errno => (value === null ? Errno.inval : Errno.none);
const isTrue = (value: string): Errno => (value === 'true' ? Errno.none : Errno.inval);
