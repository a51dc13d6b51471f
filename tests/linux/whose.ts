/**
 * Whose a link is: those of others are left alone, ours are known when somebody has wiped what shows it, and get back their names. A program
 * for a network namespace of its own; what the kernel cannot make is passed over and told. Says `ok` at the end.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import type { Driver } from '@vrouter/drivers/contract/driver.ts';
import { create, link, vrf } from '@vrouter/drivers/contract/samples.ts';
import { MemoryLedger } from '@vrouter/drivers/linux/ledger.ts';
import { diffAll } from '@vrouter/intent/diff/diff.ts';
import type { LinkObject, PlaneObject } from '@vrouter/intent/model/objects.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import { linuxPlane } from '../../programs/vrouterd/planes/linux.ts';
import type { Plane } from '../../programs/vrouterd/planes/plane.ts';
import { until } from '../containers/world.ts';
import { testLinux } from './options.ts';

const ip = (command: string): string => execFileSync('ip', command.split(' '), { encoding: 'utf8' });
const nft = (command: string): string => execFileSync('nft', command.split(' '), { encoding: 'utf8' });
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const ledger = new MemoryLedger();
const start = (): Promise<Plane> => linuxPlane({ ...testLinux(), ledger });

/** An object, and what somebody else has made under its name, as arguments of `ip`. */
const plain = { mtu: 1400, mssClamp: false, mac: null } as const;
const onLan = (over: Partial<LinkObject>): LinkObject => link({ ...plain, ...over });
const kinds: readonly (readonly [PlaneObject, string])[] = [
  [onLan({ name: 'br-x', type: 'bridge' }), 'link add br-x mtu 1450 type bridge'],
  [onLan({ name: 've-x', type: 'veth', peer: 've-y' }), 'link add ve-x mtu 1450 type veth peer name ve-z'],
  [onLan({ name: 'tap-x', type: 'tap', device: 'tap-x', vlanId: null }), 'tuntap add tap-x mode tap'],
  [
    onLan({ name: 'lan0.300', type: 'port', device: 'lan0', vlanId: 300 }),
    'link add link lan0 name lan0.300 mtu 1450 type vlan id 300',
  ],
  [
    onLan({ name: 'mv-x', type: 'macvlan', parent: 'lan0', mode: 'bridge' }),
    'link add link lan0 name mv-x mtu 1450 type macvlan mode bridge',
  ],
  [
    onLan({ name: 'vx-x', type: 'vxlan', vni: 7, local: null, remote: null, udpPort: 4789 }),
    'link add vx-x mtu 1450 type vxlan id 7 dstport 4789',
  ],
  [link({ name: 'wg-x', mtu: 1400 }), 'link add wg-x mtu 1450 type wireguard'],
  [vrf('vrf-x', 1601), 'link add vrf-x type vrf table 1601'],
];

let here = await start();
const driver = (): Driver => here.driver;

async function restart(): Promise<void> {
  await here.close();
  here = await start();
}

/** Does what leads to these objects, as often as the loop would; the first problem. */
async function make(...wanted: readonly PlaneObject[]): Promise<string | null> {
  let first: string | null = null;
  for (let round = 0; round < 3; round++) {
    const seen = await driver().observe('all', soon());
    const steps = plan(diffAll(wanted, seen, driver().capabilities().builtIn));
    if (steps.length === 0) return first;
    for (const one of await driver().apply(steps, soon())) if (!one.ok) first ??= one.error.code;
  }
  return first ?? 'it does not end';
}

/** Null: this kernel has no such kind. */
function made(command: string): true | null {
  try {
    ip(command);
    return true;
  } catch {
    return null;
  }
}

const picture = (name: string): string =>
  (ip(`link show ${name}`) + ip(`-4 address show ${name}`)).replace(/ state \S+/g, '');

ip('link set lo up');
ip('link add lan0 type veth peer name lan1');
ip('link set lan0 up');
ip('link set lan1 up');
const tried: string[] = [];
for (const [object, theirs] of kinds) {
  const name = (object as LinkObject).name;
  if (made(theirs) === null) continue;
  for (const alias of ['theirs', '']) {
    ip(`link set ${name} alias ${alias}`.trimEnd().replace(/alias$/, 'group 0'));
    if (object.kind === 'link') ip(`address replace 10.250.0.1/24 dev ${name}`);
    ip(`link set ${name} up`);
    const before = picture(name);
    const guarded: PlaneObject = { kind: 'isolation', link: name, internal: false, gateways: [] };
    const objects = object.kind === 'link' && object.type === 'bridge' ? [guarded, object] : [object];
    assert.match((await make(...objects)) ?? 'made', /^object\./, name);
    assert.equal((await driver().apply([create(object)], soon()))[0]?.ok, false);
    assert.equal(picture(name), before, `${name} is as it was`);
    await make();
    assert.equal(picture(name), before, `${name} is as it was after what was asked for is gone`);
  }
  ip(`link del ${name}`);
  // Ours, whose mark somebody wipes.
  assert.equal(await make(object), null, name);
  const number = ip(`-o link show ${name}`).split(':')[0];
  for (const way of ['while we look', 'while we do not']) {
    if (way !== 'while we look') await here.close();
    ip(`link set ${name} alias other group 0`);
    if (way !== 'while we look') here = await start();
    assert.equal(await make(object), null, `${name} wiped ${way}`);
    assert.match(ip(`link show ${name}`), /alias vrouter /);
    assert.equal(ip(`-o link show ${name}`).split(':')[0], number, 'the same link');
  }
  ip(`link set ${name} alias other group 0`);
  await restart();
  assert.equal(await make(), null);
  assert.throws(() => ip(`link show ${name}`), `${name} is ours to take away`);
  tried.push(name);
}

/** Before Linux 6.2 only what is down can be called otherwise. */
function rename(from: string, to: string): void {
  if (made(`link set ${from} name ${to}`) !== null) return;
  ip(`link set ${from} down`);
  ip(`link set ${from} name ${to}`);
  ip(`link set ${to} up`);
}

/** Somebody calls a link of ours otherwise. */
const blue = [
  { kind: 'isolation', link: 'br-blue', internal: false, gateways: [] },
  onLan({ name: 'br-blue', type: 'bridge', mtu: 1500 }),
] as const;
const set = (name: string): string => /elements = ([^}]*)/.exec(nft(`list set inet vrouter ${name}`))?.[1] ?? '';
assert.equal(await make(...blue), null);
const heard = new AbortController();
const news: string[] = [];
void (async () => {
  for await (const change of driver().watch(heard.signal)) if (change.kind === 'keys') news.push(...change.keys);
})();
await setTimeout(50);
rename('br-blue', 'br-hand');
await until('it is heard', () => news.includes('link/br-blue'));
heard.abort();
assert.equal(await make(...blue), null);
assert.match(ip('link show br-blue'), /alias vrouter br-blue/);
assert.throws(() => ip('link show br-hand'));
// While nobody looks, down, and with a stranger under its name.
await here.close();
ip('link set br-blue down');
rename('br-blue', 'br-hand');
here = await start();
assert.equal(await make(...blue), null);
assert.match(ip('link show br-blue'), /<[^>]*\bUP\b.*\n.*\n.*alias vrouter br-blue/);
rename('br-blue', 'br-hand');
ip('link add br-blue type bridge');
const stranger = picture('br-blue');
assert.equal(await make(...blue), 'object.exists');
for (const name of ['guarded', 'links', 'dropped']) {
  assert.match(set(name), /br-hand/, `${name}: what keeps others out goes with the link`);
  assert.doesNotMatch(set(name), /br-blue/, `${name}: the stranger is left alone`);
}
assert.equal(picture('br-blue'), stranger);
ip('link del br-blue');
assert.equal(await make(...blue), null);
for (const name of ['guarded', 'links', 'dropped']) {
  assert.match(set(name), /br-blue/);
  assert.doesNotMatch(set(name), /br-hand/);
}
if (tried.includes('vrf-x')) {
  const red = vrf('vrf-red', 1602);
  assert.equal(await make(red), null);
  rename('vrf-red', 'vrf-hand');
  assert.equal(await make(red), null);
  assert.match(ip('link show vrf-red'), /alias vrouter vrf-red/);
}
assert.equal(await make(), null);

console.log(`tried ${tried.join(' ')}`);
assert.ok(tried.includes('br-x') && tried.includes('ve-x'));
await here.close();
console.log('ok');
process.exit(0);
