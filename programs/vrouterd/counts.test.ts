import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { firstMac, routeCounts } from './counts.ts';

test('routes are counted by VRF, those that are there and those that fail', () => {
  const observed = ['route/default/10.0.0.0/8', 'route/default/fd00::/8', 'route/blue/0.0.0.0/0', 'link/wg0'];
  const failing = ['route/blue/10.9.0.0/16', 'route/red/0.0.0.0/0', 'address/wg0/10.0.0.1/24'];
  assert.deepEqual(routeCounts(observed, failing), {
    default: { programmed: 2, failed: 0 },
    blue: { programmed: 1, failed: 1 },
    red: { programmed: 0, failed: 1 },
  });
});

test('the first MAC address, by name, of what is no loopback and no tunnel', () => {
  const one = (mac: string, internal = false) => [{ mac, internal } as NetworkInterfaceInfo];
  const none = '00:00:00:00:00:00';
  assert.equal(
    firstMac({ lo: one(none, true), eth1: one('02:00:00:00:00:02'), eth0: one('02:00:00:00:00:01') }),
    '02:00:00:00:00:01',
  );
  assert.equal(firstMac({ lo: one(none, true), tun0: one(none) }), null);
  assert.equal(firstMac({}), null);
});
