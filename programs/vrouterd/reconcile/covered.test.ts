import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed, WireguardPeerObject } from '@vrouter/intent/model/objects.ts';
import { coveredAddresses } from './covered.ts';

const observed = [
  { kind: 'link', name: 'wg0', vrf: 'default' },
  { kind: 'link', name: 'wg1', vrf: 'blue' },
  { kind: 'address', link: 'wg0', address: '10.0.0.1/24' },
  { kind: 'address', link: 'wg0', address: 'fd00::1/64' },
].map((object) => ({ key: 'x', object, learned: {} }) as unknown as Observed);

const peer = (link: string, ...allowedIps: string[]): WireguardPeerObject =>
  ({ kind: 'wireguardPeer', link, publicKey: 'k', allowedIps }) as unknown as WireguardPeerObject;

for (const [what, of, expected] of [
  ['its own addresses', peer('wg0', '10.0.0.1/32', 'fd00::1/128', '10.0.0.2/32'), ['10.0.0.1/32', 'fd00::1/128']],
  ['networks that hold them are fine', peer('wg0', '10.0.0.0/24', '0.0.0.0/0', 'fd00::/64'), []],
  ['another VRF is another world', peer('wg1', '10.0.0.1/32'), []],
] as const)
  test(`allowed IPs that cover an own address: ${what}`, () =>
    assert.deepEqual(
      coveredAddresses([of], observed).map(({ allowedIp }) => allowedIp),
      expected,
    ));
