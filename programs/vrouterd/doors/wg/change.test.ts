import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatKey } from '@vrouter/core/bytes.ts';
import type { PeerIntent } from '@vrouter/intent/model/intents.ts';
import { Errno } from '@vrouter/wire/uapi/errno.ts';
import { emptyPeerChange, emptySet, type UapiPeerChange, type UapiSet } from '@vrouter/wire/uapi/operation.ts';
import { changeOf, type WgChange, type WgFacts } from './change.ts';

const bytes = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const key = (n: number): string => formatKey(bytes(n));
const peer = (n: number, more: Partial<PeerIntent> = {}): PeerIntent => ({
  kind: 'peer',
  interface: 'wg0',
  publicKey: key(n),
  name: '',
  presharedKey: null,
  allowedIps: [],
  endpoint: null,
  persistentKeepalive: 0,
  ...more,
});

const privateKey = bytes(64);
const facts = (more: Partial<WgFacts> = {}): WgFacts => ({
  interface: 'wg0',
  managed: false,
  privateKey,
  publicKey: key(99),
  listenPort: 51820,
  localPort: 51820,
  own: new Map(),
  unreadable: new Set(),
  other: () => null,
  endpointOf: () => null,
  ...more,
});
const own = (...peers: readonly PeerIntent[]): Map<string, PeerIntent> => new Map(peers.map((p) => [p.publicKey, p]));
const set = (more: Partial<UapiSet>): UapiSet => ({ ...emptySet(), ...more });
const says = (n: number, more: Partial<UapiPeerChange> = {}): UapiPeerChange => ({
  ...emptyPeerChange(bytes(n)),
  ...more,
});
const ips = (...prefixes: readonly string[]) =>
  prefixes.map((text) => ({ remove: text.startsWith('-'), prefix: text.replace('-', '') }));

const nothing: WgChange = { put: [], remove: [], discard: [], moved: [] };
const a = '10.0.0.1/32';
const b = '10.0.0.2/32';
const c = 'fd00::/64';

const rows: readonly [name: string, facts: WgFacts, said: UapiSet, comesTo: Partial<WgChange> | Errno][] = [
  ['nothing said', facts(), set({}), {}],
  ['the private key as it is', facts(), set({ privateKey }), {}],
  ['the private key as it is, not clamped', facts(), set({ privateKey: privateKey.with(0, 71) }), {}],
  ['another private key', facts(), set({ privateKey: bytes(8) }), Errno.perm],
  ['no private key any more', facts(), set({ privateKey: bytes(0) }), Errno.perm],
  ['the listen port as it is', facts(), set({ listenPort: 51820 }), {}],
  ['any port, on one that is said to be any', facts({ listenPort: 0, localPort: 7 }), set({ listenPort: 0 }), {}],
  ['the port that is bound', facts({ listenPort: 0, localPort: 7 }), set({ listenPort: 7 }), {}],
  ['another port', facts(), set({ listenPort: 7 }), Errno.perm],
  ['any port, on one that has its own', facts(), set({ listenPort: 0 }), Errno.perm],
  ['no mark', facts({ managed: true }), set({ fwmark: 0 }), {}],
  ['a mark', facts(), set({ fwmark: 5 }), Errno.notSupported],
  ['a mark on the controller’s', facts({ managed: true }), set({ fwmark: 5 }), Errno.perm],
  ['all peers replaced on the controller’s', facts({ managed: true }), set({ replacePeers: true }), Errno.perm],
  [
    'all peers replaced: those that are not said again go, the others become what was said',
    facts({ own: own(peer(1, { presharedKey: key(7) }), peer(2), peer(3, { allowedIps: [a] })) }),
    set({ replacePeers: true, peers: [says(3, { allowedIps: ips(a) }), says(1), says(4)] }),
    { put: [peer(1), peer(4)], remove: [key(2)] },
  ],
  [
    'a new peer with everything',
    facts(),
    set({
      peers: [
        says(1, {
          presharedKey: bytes(5),
          endpoint: '192.0.2.1:5',
          persistentKeepalive: 25,
          allowedIps: ips(c, b, a, a),
        }),
      ],
    }),
    {
      put: [peer(1, { presharedKey: key(5), endpoint: '192.0.2.1:5', persistentKeepalive: 25, allowedIps: [a, b, c] })],
    },
  ],
  ['a peer that is only to be updated and is not there', facts(), set({ peers: [says(1, { updateOnly: true })] }), {}],
  [
    'a peer that is only to be updated and is there',
    facts({ own: own(peer(1)) }),
    set({ peers: [says(1, { updateOnly: true, persistentKeepalive: 9 })] }),
    { put: [peer(1, { persistentKeepalive: 9 })] },
  ],
  [
    'what is not said stays',
    facts({ own: own(peer(1, { name: 'x', presharedKey: key(5), endpoint: '192.0.2.1:5', allowedIps: [a] })) }),
    set({ peers: [says(1, { persistentKeepalive: 9, allowedIps: ips(b) })] }),
    {
      put: [
        peer(1, {
          name: 'x',
          presharedKey: key(5),
          endpoint: '192.0.2.1:5',
          allowedIps: [a, b],
          persistentKeepalive: 9,
        }),
      ],
    },
  ],
  [
    'a pre-shared key of zeros is none',
    facts({ own: own(peer(1, { presharedKey: key(5) })) }),
    set({ peers: [says(1, { presharedKey: bytes(0) })] }),
    { put: [peer(1)] },
  ],
  [
    'allowed IPs replaced',
    facts({ own: own(peer(1, { allowedIps: [a, b] })) }),
    set({ peers: [says(1, { replaceAllowedIps: true, allowedIps: ips(c) })] }),
    { put: [peer(1, { allowedIps: [c] })] },
  ],
  [
    'one allowed IP removed, and one that was never there',
    facts({ own: own(peer(1, { allowedIps: [a, b] })) }),
    set({ peers: [says(1, { allowedIps: ips(`-${a}`, `-${c}`) })] }),
    { put: [peer(1, { allowedIps: [b] })] },
  ],
  [
    'an allowed IP moves to who said it last, among our own and within the operation',
    facts({ own: own(peer(1, { allowedIps: [a, b] })) }),
    set({ peers: [says(2, { allowedIps: ips(a, c) }), says(3, { allowedIps: ips(c) })] }),
    { put: [peer(1, { allowedIps: [b] }), peer(2, { allowedIps: [a] }), peer(3, { allowedIps: [c] })] },
  ],
  [
    'an allowed IP of a peer that goes in the same operation',
    facts({ own: own(peer(1, { allowedIps: [a] })) }),
    set({ peers: [says(1, { remove: true }), says(2, { allowedIps: ips(a) })] }),
    { put: [peer(2, { allowedIps: [a] })], remove: [key(1)] },
  ],
  [
    'a peer removed',
    facts({ own: own(peer(1), peer(2)) }),
    set({ peers: [says(1, { remove: true })] }),
    { remove: [key(1)] },
  ],
  ['a peer removed that is not there', facts(), set({ peers: [says(1, { remove: true })] }), {}],
  [
    'a peer removed and said anew starts from nothing',
    facts({ own: own(peer(1, { presharedKey: key(5), allowedIps: [a] })) }),
    set({ peers: [says(1, { remove: true }), says(1, { allowedIps: ips(b) })] }),
    { put: [peer(1, { allowedIps: [b] })] },
  ],
  ['the device itself as its own peer', facts(), set({ peers: [says(99, { allowedIps: ips(a) })] }), {}],
  [
    'an unreadable peer removed',
    facts({ unreadable: new Set([key(1), key(2)]) }),
    set({ peers: [says(1, { remove: true })] }),
    { discard: [key(1)] },
  ],
  [
    'all peers replaced: unreadable ones go too, unless they are said again',
    facts({ unreadable: new Set([key(1), key(2)]) }),
    set({ replacePeers: true, peers: [says(1, { allowedIps: ips(a) })] }),
    { put: [peer(1, { allowedIps: [a] })], discard: [key(2)] },
  ],
  [
    'an unreadable peer said anew starts from nothing, and needs no discarding',
    facts({ unreadable: new Set([key(1)]) }),
    set({ peers: [says(1, { remove: true }), says(1, { allowedIps: ips(a) })] }),
    { put: [peer(1, { allowedIps: [a] })] },
  ],
  [
    'another endpoint of a peer that is there',
    facts({ own: own(peer(1, { endpoint: '192.0.2.1:5' })), endpointOf: () => '192.0.2.1:5' }),
    set({ peers: [says(1, { endpoint: '192.0.2.2:5' })] }),
    { put: [peer(1, { endpoint: '192.0.2.2:5' })], moved: [key(1)] },
  ],
  [
    'the endpoint that was said before, of a peer that has roamed',
    facts({ own: own(peer(1, { endpoint: '192.0.2.1:5' })), endpointOf: () => '198.51.100.1:9' }),
    set({ peers: [says(1, { endpoint: '192.0.2.1:5' })] }),
    { moved: [key(1)] },
  ],
  [
    'the endpoint where the peer is anyway',
    facts({ own: own(peer(1)), endpointOf: () => '198.51.100.1:9' }),
    set({ peers: [says(1, { endpoint: '198.51.100.1:9' })] }),
    { put: [peer(1, { endpoint: '198.51.100.1:9' })] },
  ],
];

const others = facts({
  other: (k) => (k === key(1) ? peer(1, { name: 'alice', allowedIps: [a], endpoint: '192.0.2.1:5' }) : null),
  endpointOf: () => '198.51.100.1:9',
});
const withOther: typeof rows = [
  ['another’s peer as it is', others, set({ peers: [says(1, { replaceAllowedIps: true, allowedIps: ips(a) })] }), {}],
  ['another’s peer where it was said to be', others, set({ peers: [says(1, { endpoint: '192.0.2.1:5' })] }), {}],
  ['another’s peer where it is', others, set({ peers: [says(1, { endpoint: '198.51.100.1:9' })] }), {}],
  ['another’s peer elsewhere', others, set({ peers: [says(1, { endpoint: '192.0.2.9:5' })] }), Errno.perm],
  ['one more allowed IP for another’s peer', others, set({ peers: [says(1, { allowedIps: ips(b) })] }), Errno.perm],
  ['a keepalive for another’s peer', others, set({ peers: [says(1, { persistentKeepalive: 5 })] }), Errno.perm],
  ['a pre-shared key for another’s peer', others, set({ peers: [says(1, { presharedKey: bytes(5) })] }), Errno.perm],
  ['another’s peer removed', others, set({ peers: [says(1, { remove: true })] }), Errno.perm],
  [
    'our own word on another’s peer taken back',
    { ...others, own: own(peer(1)) },
    set({ peers: [says(1, { remove: true })] }),
    { remove: [key(1)] },
  ],
  [
    'one bad peer refuses the good ones before it',
    others,
    set({ peers: [says(2, { allowedIps: ips(b) }), says(1, { remove: true })] }),
    Errno.perm,
  ],
];

for (const [name, is, said, comesTo] of [...rows, ...withOther]) {
  test(`set: ${name}`, () => {
    const outcome = changeOf(said, is);
    if (typeof comesTo === 'number') assert.deepEqual(outcome, { ok: false, errno: comesTo });
    else assert.deepEqual(outcome, { ok: true, change: { ...nothing, ...comesTo } });
  });
}
