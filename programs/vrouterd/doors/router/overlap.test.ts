/** VLANs whose subnets others have: other VLANs, networks that another door says, and the host itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HostNetwork, prefixOf } from '@vrouter/intent/compile/overlap.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { Client, openWorld } from './world.testing.ts';

const never = new AbortController().signal;

test('a VLAN is refused a subnet of another network, of the host, or around its default gateway, and nothing is different', async (t) => {
  const row = (name: string, prefix: string, more: object = {}): HostNetwork => ({
    interface: name,
    prefix: prefixOf(prefix),
    isGateway: false,
    isOurs: false,
    ...more,
  });
  const host = [row('eth0', '192.0.2.0/24'), row('eth0', '198.51.100.1/32', { isGateway: true })];
  const it = await openWorld(undefined, undefined, { ...testOutside(), hostNetworks: () => host });
  t.after(() => it.stop());
  const subnets = [{ prefix: '172.30.0.0/16', gateway: '172.30.0.1' }];
  const parsed = parseIntent({ kind: 'network', id: 'big', attachment: 'bridged', interface: 'br-big', subnets });
  assert.ok(parsed.ok);
  it.desired.put('cli', parsed.value);
  const client = new Client(it.intents);
  assert.equal((await client.createVlan(100, { subnet: '10.1.0.0/16', gateway: '10.1.0.1' })).error, '');
  await it.reconciler.settled(2000);
  const plane = async () => (await it.driver.observe('all', never)).map(({ key }) => key).sort();
  const before = await plane();
  for (const [subnet, gateway, by] of [
    ['10.1.2.0/24', '10.1.2.1', /10\.1\.0\.0\/16 of VLAN 100/],
    ['10.0.0.0/8', '10.0.0.1', /10\.1\.0\.0\/16 of VLAN 100/],
    ['172.30.1.0/24', '172.30.1.1', /172\.30\.0\.0\/16 of cli network\/big/],
    ['172.16.0.0/12', '172.16.0.1', /172\.30\.0\.0\/16 of cli network\/big/],
    ['192.0.2.0/25', '192.0.2.9', /192\.0\.2\.0\/24 of eth0 of this host/],
    ['198.51.100.0/24', '198.51.100.9', /198\.51\.100\.1\/32 of this host's default route by eth0/],
  ] as const) {
    const { success, error } = await client.createVlan(110, { subnet, gateway });
    assert.equal(success, false, subnet);
    assert.match(error, by);
    assert.match(error, /\(network\.overlap\)$/);
  }
  assert.deepEqual(await plane(), before);
  assert.equal(client.calls.health().healthy, true);
  // One that is there may be said again, and be of the same subnet still.
  assert.equal((await client.createVlan(100, { subnet: '10.1.0.0/16', gateway: '10.1.0.2' })).error, '');
});
