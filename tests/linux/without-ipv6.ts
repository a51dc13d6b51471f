/**
 * Networks on a host that has no IPv6 (with the argument `off`, where /proc/sys/net/ipv6 is to be hidden first), and on links whose MTU is too small
 * for it. A program for network and mount namespaces of its own; says `ok` at the end.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { link } from '@vrouter/drivers/contract/samples.ts';
import { diffAll } from '@vrouter/intent/diff/diff.ts';
import type { PlaneObject } from '@vrouter/intent/model/objects.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import { linuxPlane } from '../../programs/vrouterd/planes/linux.ts';
import { testLinux } from './options.ts';

const run = (command: string): string => execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
const isOff = process.argv.includes('off');
run('ip link set lo up');
if (isOff && existsSync('/proc/sys/net/ipv6')) run('mount -t tmpfs none /proc/sys/net/ipv6');
const { driver, close } = await linuxPlane(testLinux());

/** What a network of the subnet 10.98.0.0/24 asks for, and what one of IPv6 asks for besides. */
const network = (mtu: number): readonly PlaneObject[] => [
  { kind: 'isolation', link: 'br-red', internal: false, gateways: [] },
  link({ name: 'br-red', type: 'bridge', mac: null, mssClamp: false, mtu }),
  { kind: 'address', link: 'br-red', address: '10.98.0.1/24' },
  { kind: 'route', vrf: 'default', prefix: '10.98.0.0/24', via: { type: 'link', link: 'br-red', nextHop: null } },
  { kind: 'sysctl', name: 'net.ipv4.ip_forward', link: null, value: '1' },
  { kind: 'sysctl', name: 'net.ipv6.conf.all.forwarding', link: null, value: '1' },
  { kind: 'sysctl', name: 'net.ipv4.conf.%.route_localnet', link: 'br-red', value: '1' },
  { kind: 'sysctl', name: 'net.ipv6.conf.%.accept_ra', link: 'br-red', value: '0' },
];
const address6: PlaneObject = { kind: 'address', link: 'br-red', address: 'fd98::1/64' };

/** What could not be done. */
async function make(...wanted: readonly PlaneObject[]): Promise<string[]> {
  const signal = AbortSignal.timeout(20_000);
  const steps = async () => plan(diffAll(wanted, await driver.observe('all', signal), driver.capabilities().builtIn));
  let failed: string[] = [];
  // A switch that comes with an MTU is looked at later.
  for (let round = 0; round < 3 && failed.length === 0; round++) {
    const results = await driver.apply(await steps(), signal);
    failed = results.flatMap((one) => (one.ok ? [] : [`${one.key}: ${one.error.message}`]));
  }
  if (failed.length === 0) assert.deepEqual(await steps(), [], 'and it stands');
  return failed;
}

const acceptRa = (): string => readFileSync('/proc/sys/net/ipv6/conf/br-red/accept_ra', 'utf8').trim();
const small = network(1279);
assert.deepEqual(await make(...small), []);
if (isOff) {
  if (!existsSync('/proc/net/if_inet6')) assert.match((await make(...small, address6)).join(), /this host has no IPv6/);
} else {
  assert.match((await make(...small, address6)).join(), /^address.*br-red has an MTU of 1279, and IPv6 needs 1280/);
  assert.deepEqual(await make(...network(1500), address6), []);
  // With the MTU the switch has come, as the kernel makes it.
  const turned = new AbortController();
  const keys = (async () => {
    for await (const change of driver.watch(turned.signal)) if (change.kind === 'keys') return change.keys;
    return [];
  })();
  await make(...small);
  run('ip link set br-red mtu 1500');
  await sleep(50);
  assert.ok((await keys).some((key) => /br-red/.test(key)));
  turned.abort();
  assert.deepEqual(await make(...network(1500), address6), []);
  assert.equal(acceptRa(), '0');
}
assert.deepEqual(await make(), []);
assert.doesNotMatch(run('ip link'), /br-red/);
await close();
console.log('ok');
process.exit(0);
