/** What a request of the userspace interface says. Absent is null or false: it was not said. */

export const KEY_BYTES = 32;

export interface UapiPeerChange {
  publicKey: Uint8Array;
  remove: boolean;
  /** Do nothing when there is no such peer. */
  updateOnly: boolean;
  /** All zero: none from now on. */
  presharedKey: Uint8Array | null;
  /** Canonical: `192.0.2.1:51820`, `[2001:db8::1]:51820`. */
  endpoint: string | null;
  /** Seconds; 0 is off. */
  persistentKeepalive: number | null;
  replaceAllowedIps: boolean;
  /** In the order in which they were said; canonical prefixes, host bits cleared. */
  allowedIps: { remove: boolean; prefix: string }[];
}

export interface UapiSet {
  /** All zero: none from now on. */
  privateKey: Uint8Array | null;
  listenPort: number | null;
  fwmark: number | null;
  replacePeers: boolean;
  /** In the order in which they were said; one key may come several times. */
  peers: UapiPeerChange[];
}

export function emptySet(): UapiSet {
  return { privateKey: null, listenPort: null, fwmark: null, replacePeers: false, peers: [] };
}

export function emptyPeerChange(publicKey: Uint8Array): UapiPeerChange {
  return {
    publicKey,
    remove: false,
    updateOnly: false,
    presharedKey: null,
    endpoint: null,
    persistentKeepalive: null,
    replaceAllowedIps: false,
    allowedIps: [],
  };
}

/** Whether a key is the one that stands for none. */
export function isZeroKey(key: Uint8Array): boolean {
  return key.every((byte) => byte === 0);
}
