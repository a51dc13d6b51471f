/** Ports: from what is said to links, and who may stand on them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desired } from '../index/desired.ts';
import type { IntentKey } from '../model/intents.ts';
import { planeKinds, testOutside } from '../testing/outside.ts';
import { parseIntent } from '../validate/intent.ts';

function put(d: Desired, ...said: readonly object[]): Desired {
  for (const one of said) {
    const parsed = parseIntent(one);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    d.put('file', parsed.value);
  }
  d.takeDirty();
  return d;
}
const desired = (...said: readonly object[]): Desired => put(new Desired(testOutside(), planeKinds), ...said);

const lan = { kind: 'port', name: 'lan', device: 'eth1' };
const link = {
  kind: 'link',
  name: 'lan',
  type: 'port',
  vrf: 'default',
  mtu: 1500,
  adminUp: true,
  mssClamp: true,
  sourceCheck: 'off',
};
const keys = (d: Desired): string[] => [...d.all()].map((object) => JSON.stringify(object));
const codes = (d: Desired): string[] =>
  d.problems().map(({ key, problem }) => `${key} ${problem.code} ${problem.field}`);

test('an interface that is there, and one that is made', () => {
  const d = desired(lan, { kind: 'port', name: 'in', tap: 'tap0', mtu: 9000, mac: '02-00-5E-00-00-01' });
  assert.deepEqual(
    new Set([...d.all()]),
    new Set([
      { ...link, device: 'eth1', mac: null, vlanId: null },
      { ...link, name: 'in', type: 'tap', mtu: 9000, device: 'tap0', mac: '02:00:5e:00:00:01', vlanId: null },
    ]),
  );
});

test('addresses and routes stand on a port, and wait for it', () => {
  const address = { kind: 'address', interface: 'lan', address: '192.168.1.1/24' };
  const route = { kind: 'route', prefix: '0.0.0.0/0', interface: 'lan', nextHop: '192.168.1.254' };
  const waiting = desired(address, route);
  assert.deepEqual(keys(waiting), []);
  put(waiting, lan);
  assert.equal([...waiting.all()].length, 4);
  const via = { type: 'link', link: 'lan', nextHop: '192.168.1.254' };
  assert.ok(keys(waiting).includes(JSON.stringify({ kind: 'route', vrf: 'default', prefix: '0.0.0.0/0', via })));
  waiting.remove('file', 'port/lan' as IntentKey);
  waiting.takeDirty();
  assert.deepEqual(keys(waiting), []);
});

test('frames of a device are one port’s: another VLAN is another port', () => {
  const d = desired(lan, { ...lan, name: 'lan5', vlanId: 5 }, { ...lan, name: 'other' });
  assert.deepEqual(codes(d), ['port/other intent.conflict device']);
  assert.equal([...d.all()].length, 2);
  assert.deepEqual(codes(desired({ kind: 'hostInterface', name: 'lan' }, lan)), ['port/lan intent.conflict name']);
  assert.deepEqual(codes(desired({ ...lan, vrf: 'blue' })), ['port/lan intent.reference vrf']);
});

test('an IPv6 address waits for an MTU that IPv6 takes; IPv4 does not', () => {
  const addresses = ['fd88::1/64', '192.168.1.1/24'].map((address) => ({ kind: 'address', interface: 'lan', address }));
  const has = (d: Desired): (string | undefined)[] =>
    [...d.all()].flatMap((object) => (object.kind === 'address' ? object.address : []));
  const d = desired({ ...lan, mtu: 1279 }, ...addresses);
  assert.deepEqual(codes(d), ['address/lan/fd88::1/64 input.invalid address']);
  assert.deepEqual(has(d), ['192.168.1.1/24']);
  put(d, { ...lan, mtu: 1280 });
  assert.deepEqual([codes(d), has(d).length], [[], 2]);
  put(d, { ...lan, mtu: 576 });
  assert.deepEqual([codes(d).length, has(d)], [1, ['192.168.1.1/24']]);
});

for (const [title, more, field, code = 'input.invalid'] of [
  ['neither a device nor a TAP', { device: null }, 'device'],
  ['both', { tap: 'tap0' }, 'device'],
  ['a TAP with a VLAN', { device: null, tap: 'tap0', vlanId: 5 }, 'vlanId'],
  ['VLAN 4095', { vlanId: 4095 }, 'vlanId'],
  ['a MAC address of a group', { mac: '01:00:5e:00:00:01' }, 'mac', 'address.invalid'],
  ['a device of no name', { device: 'a/b' }, 'device', 'name.invalid'],
  ['an MTU that IPv4 hosts need not take', { mtu: 100 }, 'mtu'],
] as const)
  test(`refused: ${title}`, () => {
    const parsed = parseIntent({ ...lan, ...more });
    assert.ok(!parsed.ok);
    assert.deepEqual([parsed.error.code, parsed.error.field], [code, field]);
  });
