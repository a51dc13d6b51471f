import assert from 'node:assert/strict';
import test from 'node:test';
import type { PeerReply } from '../rest/peers.ts';
import { wgQuickText } from './wg-quick.ts';

const reply: PeerReply = {
  peer: {
    vrouter: 'edge-1',
    name: 'phone',
    publicKey: 'PUBLIC',
    hasPresharedKey: true,
    addresses: ['10.77.0.2/32', 'fd77::2/128'],
    allowedIps: [],
    endpoint: null,
    persistentKeepalive: 0,
    createdUnixMs: 0,
    live: null,
  },
  gateway: { publicKey: 'GATEWAY', endpoint: 'vpn.example:51820', allowedIps: ['10.77.0.0/24'], mtu: 1420 },
};

test('with all secrets it is a file that wg-quick takes as it is', () => {
  assert.equal(
    wgQuickText(reply, { privateKey: 'PRIVATE', presharedKey: 'SHARED' }, 25),
    `# phone, a peer of edge-1
[Interface]
PrivateKey = PRIVATE
Address = 10.77.0.2/32, fd77::2/128
MTU = 1420

[Peer]
PublicKey = GATEWAY
PresharedKey = SHARED
Endpoint = vpn.example:51820
AllowedIPs = 10.77.0.0/24
PersistentKeepalive = 25
`,
  );
});

test('what is not known here is left to the reader, and a server cannot add lines', () => {
  const gateway = { ...reply.gateway, publicKey: null, endpoint: 'x\nPostUp = reboot' };
  const text = wgQuickText({ ...reply, gateway }, { privateKey: null, presharedKey: null }, 0);
  assert.match(text, /# PUBLIC\nPrivateKey = <yours>\n/);
  assert.match(
    text,
    /\n# PublicKey = not known [^\n]*\n# PresharedKey = <the one that you gave>\nEndpoint = x\?PostUp = reboot\n/,
  );
  assert.doesNotMatch(text, /PersistentKeepalive|^PostUp/m);
});
