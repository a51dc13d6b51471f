/**
 * Our netlink messages and a real kernel, which is asked twice what it has: by ours and by iproute2. A program for a network namespace of
 * its own, or for a kernel of its own; says `ok` at the end, any failure is an exit code and a stack.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatMac, parseMac } from '@vrouter/core/mac.ts';
import { formatPrefix, type Prefix, parseInterfaceAddress, parsePrefix } from '@vrouter/core/prefix.ts';
import type { Result } from '@vrouter/core/result.ts';
import { addAddress, askAddresses, parseAddress, removeAddress } from '@vrouter/drivers/linux/netlink/address.ts';
import { Conversation } from '@vrouter/drivers/linux/netlink/conversation.ts';
import {
  askLinks,
  changeLink,
  createLink,
  deleteLink,
  parseLink,
  type VxlanRow,
} from '@vrouter/drivers/linux/netlink/link.ts';
import { AF_BRIDGE, AF_INET, AF_INET6 } from '@vrouter/drivers/linux/netlink/message.ts';
import {
  addForwarding,
  askNeighbours,
  deleteForwarding,
  deleteNeighbour,
  parseForwarding,
  parseNeighbour,
  setNeighbour,
} from '@vrouter/drivers/linux/netlink/neighbour.ts';
import {
  askRoutes,
  createRoute,
  deleteRoute,
  type OurRoute,
  parseRoute,
  ROUTE_PROTOCOL,
  type RouteRow,
  replaceRoute,
} from '@vrouter/drivers/linux/netlink/route.ts';
import { askRules, createRule, deleteRule, parseRule, type Rule } from '@vrouter/drivers/linux/netlink/rule.ts';
import { openNetlink } from '@vrouter/host/netlink/netlink.ts';

const socket = openNetlink();
const kernel = new Conversation(socket, () => new Promise((resolve) => setImmediate(resolve)));
const index = (name: string): number => socket.indexOf(name);

function must<T>(parsed: Result<T>): T {
  assert.ok(parsed.ok);
  return parsed.value;
}
const prefix = (text: string): Prefix => must(parsePrefix(text, ''));
const address = (text: string): Prefix => must(parseInterfaceAddress(text, ''));
const host = (text: string): Uint8Array => must(parseIp(text, ''));
const mac = (text: string): Uint8Array => must(parseMac(text, ''));

interface IpRow {
  readonly [field: string]: unknown;
}
/** What iproute2 says. */
function ip(...args: readonly string[]): IpRow[] {
  return JSON.parse(execFileSync('ip', ['-j', '-d', ...args], { encoding: 'utf8' }) || '[]') as IpRow[];
}

async function done(...requests: readonly Uint8Array[]): Promise<void> {
  assert.deepEqual(
    await kernel.change(requests),
    requests.map(() => null),
  );
}

/** As iproute2 says it: addresses as texts. */
const textOf = (vxlan: VxlanRow | null): object | null =>
  vxlan === null
    ? null
    : {
        ...vxlan,
        local: vxlan.local === null ? null : formatIp(vxlan.local),
        remote: vxlan.remote === null ? null : formatIp(vxlan.remote),
      };

function theirVxlan({
  id,
  local,
  local6,
  remote,
  remote6,
  group,
  group6,
  port,
  link,
}: Record<string, unknown>): object {
  const far = remote ?? remote6 ?? group ?? group6 ?? null;
  return {
    id,
    local: local ?? local6 ?? null,
    remote: far,
    port,
    parent: link === undefined ? 0 : index(String(link)),
  };
}

async function links(): Promise<void> {
  await done(
    createLink('br0', { kind: 'bridge' }, { up: true }),
    createLink('v0', { kind: 'veth', peer: 'v1' }, { mac: mac('02:00:00:00:00:01') }),
  );
  await done(
    changeLink(index('br0'), { mtu: 1400, alias: 'vrouter: a network' }),
    changeLink(index('v0'), { master: index('br0'), up: true }),
    changeLink(index('v1'), { up: true, mtu: 1300 }),
    createLink('m0', { kind: 'macvlan', parent: index('v1'), mode: 'bridge' }),
    createLink(
      'x0',
      { kind: 'vxlan', id: 7777, local: host('192.0.2.1'), remote: null, port: 4789, parent: 0, learning: false },
      { up: true },
    ),
    createLink('x1', {
      kind: 'vxlan',
      id: 7778,
      local: host('2001:db8::1'),
      remote: host('2001:db8::2'),
      port: 8472,
      parent: index('v1'),
      learning: true,
    }),
  );
  const ours = await kernel.dump(askLinks(), 'links', parseLink);
  for (const theirs of ip('link', 'show')) {
    const row = ours.find((one) => one.name === theirs.ifname);
    const info = (theirs.linkinfo ?? {}) as {
      readonly info_kind?: string;
      readonly info_data?: Record<string, unknown>;
    };
    assert.deepEqual(
      { ...row, mac: formatMac(row!.mac), vxlan: textOf(row!.vxlan) },
      {
        index: theirs.ifindex,
        name: theirs.ifname,
        kind: info.info_kind ?? '',
        mtu: theirs.mtu,
        mac: theirs.address,
        up: (theirs.flags as string[]).includes('UP'),
        // It comes a moment after a link is up.
        carrier: row!.carrier,
        master: theirs.master === undefined ? 0 : index(theirs.master as string),
        parent: theirs.link === undefined ? row!.parent : theirs.link === null ? 0 : index(theirs.link as string),
        alias: theirs.ifalias ?? '',
        vlanId: null,
        table: null,
        group: theirs.group === 'default' ? 0 : Number(theirs.group),
        mode: info.info_kind === 'macvlan' ? info.info_data!.mode : null,
        vxlan: info.info_kind === 'vxlan' ? theirVxlan(info.info_data!) : null,
      },
      theirs.ifname as string,
    );
  }
  assert.equal(ours.length, ip('link', 'show').length);
  const one = await kernel.get(askLinks(index('br0')), 'br0', parseLink);
  assert.deepEqual([one!.name, one!.alias, one!.mtu], ['br0', 'vrouter: a network', 1400]);
  const up = async (): Promise<boolean> => (await kernel.get(askLinks(index('v1')), 'v1', parseLink))!.carrier;
  for (let tries = 0; !(await up()); tries++) {
    assert.ok(tries < 500, 'a cable with both ends up carries');
    await sleep(10);
  }
  await done(changeLink(index('m0'), { name: 'm1' }), changeLink(index('v0'), { master: 0 }));
  assert.notEqual(index('m1'), 0);
  await done(deleteLink(index('x1')), changeLink(index('v0'), { master: index('br0') }));
  assert.equal(index('x1'), 0);
}

async function refusals(): Promise<void> {
  const [taken, none, wrong] = await kernel.change([
    createLink('br0', { kind: 'bridge' }),
    changeLink(4711, { up: true }),
    createLink('x9', { kind: 'vxlan', id: 2 ** 24, local: null, remote: null, port: 4789, parent: 0, learning: false }),
  ]);
  assert.deepEqual([taken!.errno, none!.errno, wrong!.errno > 0], [17, 19, true]);
  assert.notEqual(wrong!.text, '', 'the kernel says why');
  await assert.rejects(kernel.get(askLinks(4711), 'no such link', parseLink), /ENODEV/);
  assert.equal(await kernel.get(askLinks(4711), 'no such link', parseLink, [19]), null);
}

async function addresses(): Promise<void> {
  const wanted = ['10.1.0.1/24', '10.1.0.2/24', 'fd01::1/64'];
  await done(...wanted.map((text) => addAddress(index('br0'), address(text))));
  const seen = async (): Promise<string[]> =>
    (
      await Promise.all(
        [AF_INET, AF_INET6].map((family) => kernel.dump(askAddresses(family), 'addresses', parseAddress)),
      )
    )
      .flat()
      .filter((row) => row.link === index('br0') && row.permanent)
      .map((row) => formatPrefix(row.address))
      .filter((text) => !text.startsWith('fe80'));
  assert.deepEqual((await seen()).sort(), [...wanted].sort());
  assert.equal((await kernel.change([addAddress(index('br0'), address('10.1.0.1/24'))]))[0]!.errno, 17);
  await done(removeAddress(index('br0'), address('10.1.0.2/24')));
  assert.equal((await seen()).length, 2);
}

function route(
  text: string,
  hops: readonly (readonly [string, string | null, number?])[],
  more: Partial<OurRoute> = {},
): OurRoute {
  const unicast = hops.map(([link, gateway, weight = 1]) => ({
    link: index(link),
    gateway: gateway === null ? null : host(gateway),
    weight,
    onLink: false,
  }));
  return { table: 254, prefix: prefix(text), metric: 50, target: { type: 'unicast', hops: unicast }, ...more };
}

async function ourRoutes(): Promise<RouteRow[]> {
  const all = await Promise.all(
    [AF_INET, AF_INET6].map((family) => kernel.dump(askRoutes(family), 'routes', parseRoute)),
  );
  return all.flat().filter((row) => row.protocol === ROUTE_PROTOCOL);
}

async function routes(): Promise<void> {
  const wanted = [
    route('10.2.0.0/16', [['br0', '10.1.0.77']]),
    route('10.3.0.0/16', [['br0', null]]),
    route('0.0.0.0/0', [['br0', '10.1.0.78']], { table: 1000 }),
    route('10.4.0.0/16', [
      ['br0', '10.1.0.77'],
      ['br0', '10.1.0.78', 3],
    ]),
    route('10.5.0.0/16', [], { target: { type: 'blackhole' } }),
    route('10.6.0.0/16', [], { target: { type: 'unreachable' }, table: 1000 }),
    route('fd02::/32', [['br0', 'fd01::77']]),
    route('fd03::/32', [
      ['br0', 'fd01::77'],
      ['br0', 'fd01::78', 2],
    ]),
    route('fd04::/32', [], { target: { type: 'blackhole' }, table: 1000 }),
    route('10.7.0.0/16', [['br0', 'fd01::77']]),
  ];
  await done(...wanted.map(createRoute));
  const told = (row: OurRoute | RouteRow): string =>
    JSON.stringify([
      row.table,
      formatPrefix(row.prefix),
      row.metric,
      row.target.type === 'unicast'
        ? row.target.hops.map((hop) => [hop.link, hop.gateway && formatIp(hop.gateway), hop.weight]).sort()
        : row.target.type,
    ]);
  assert.deepEqual((await ourRoutes()).map(told).sort(), wanted.map(told).sort());
  const theirs = [
    ...ip('-4', 'route', 'show', 'table', 'all', 'proto', '118'),
    ...ip('-6', 'route', 'show', 'table', 'all', 'proto', '118'),
  ];
  assert.equal(theirs.length, wanted.length);
  assert.equal((await kernel.change([createRoute(wanted[0]!)]))[0]!.errno, 17);
  const moved = route('10.2.0.0/16', [['br0', '10.1.0.99']]);
  await done(replaceRoute(moved));
  assert.ok((await ourRoutes()).map(told).includes(told(moved)));
  await done(deleteRoute(moved), ...wanted.slice(1).map(deleteRoute));
  assert.deepEqual(await ourRoutes(), []);
}

async function foreign(): Promise<void> {
  execFileSync('ip', ['route', 'add', '10.8.0.0/16', 'dev', 'br0', 'proto', '42', 'metric', '50']);
  const [kept] = await kernel.change([deleteRoute(route('10.8.0.0/16', [['br0', null]]))]);
  assert.equal(kept!.errno, 3, 'what another set is not found');
  execFileSync('ip', ['route', 'del', '10.8.0.0/16', 'dev', 'br0']);
}

async function rules(): Promise<void> {
  const any = { from: null, to: null, incoming: null, outgoing: null, mark: null, table: 1000 };
  const wanted: readonly Rule[] = [
    { ...any, family: AF_INET, priority: 1000, incoming: 'br0' },
    { ...any, family: AF_INET, priority: 1001, from: prefix('10.1.0.0/24'), to: prefix('10.9.0.0/16') },
    { ...any, family: AF_INET6, priority: 1002, mark: [0x10, 0xff], outgoing: 'v0' },
    { ...any, family: AF_INET, priority: 1003, table: null },
    { ...any, family: AF_INET6, priority: 1004, table: 7 },
  ];
  await done(...wanted.map(createRule));
  const all = await Promise.all([AF_INET, AF_INET6].map((family) => kernel.dump(askRules(family), 'rules', parseRule)));
  const ours = all.flat().filter((row) => row.protocol === ROUTE_PROTOCOL);
  assert.deepEqual(
    ours,
    [...wanted].sort((a, b) => a.family - b.family).map((rule) => ({ ...rule, protocol: ROUTE_PROTOCOL })),
  );
  assert.equal((await kernel.change([createRule(wanted[0]!)]))[0]!.errno, 17);
  await done(...wanted.map(deleteRule));
  assert.equal(ip('rule', 'show').length, 3);
}

async function neighbours(): Promise<void> {
  const [seven, eight] = [mac('02:00:00:00:00:07'), mac('02:00:00:00:00:08')];
  await done(
    setNeighbour(index('br0'), host('10.1.0.7'), seven),
    setNeighbour(index('br0'), host('fd01::7'), seven),
    setNeighbour(index('br0'), host('10.1.0.7'), eight),
    addForwarding(index('x0'), seven, host('192.0.2.7')),
    addForwarding(index('x0'), new Uint8Array(6), host('192.0.2.8')),
    addForwarding(index('x0'), new Uint8Array(6), host('192.0.2.9')),
    addForwarding(index('v0'), eight, null),
  );
  const all = await Promise.all(
    [AF_INET, AF_INET6].map((family) => kernel.dump(askNeighbours(family), 'neighbours', parseNeighbour)),
  );
  assert.deepEqual(
    all.flat().map((row) => [row.link, formatIp(row.address), formatMac(row.mac), row.permanent]),
    [
      [index('br0'), '10.1.0.7', formatMac(eight), true],
      [index('br0'), 'fd01::7', formatMac(seven), true],
    ],
  );
  const table = async (): Promise<string[]> =>
    (await kernel.dump(askNeighbours(AF_BRIDGE), 'FDB', parseForwarding))
      .filter(
        (row) =>
          row.link === index('x0') ||
          (row.link === index('v0') && row.vlan === null && formatMac(row.mac) === formatMac(eight)),
      )
      .map(
        (row) =>
          `${row.link === index('x0') ? 'x0' : 'v0'} ${formatMac(row.mac)} ${row.to === null ? '-' : formatIp(row.to)}`,
      );
  assert.deepEqual((await table()).sort(), [
    'v0 02:00:00:00:00:08 -',
    'x0 00:00:00:00:00:00 192.0.2.8',
    'x0 00:00:00:00:00:00 192.0.2.9',
    'x0 02:00:00:00:00:07 192.0.2.7',
  ]);
  await done(
    deleteForwarding(index('x0'), new Uint8Array(6), host('192.0.2.8')),
    deleteForwarding(index('v0'), eight, null),
    deleteNeighbour(index('br0'), host('10.1.0.7')),
  );
  assert.equal((await table()).length, 2);
}

/** VLANs and VRFs, which not every kernel has: `kernel.ts vlan vrf` says that this one has. */
async function vlans(): Promise<void> {
  await done(createLink('v1.100', { kind: 'vlan', parent: index('v1'), id: 100 }, { up: true }));
  const row = await kernel.get(askLinks(index('v1.100')), 'VLAN', parseLink);
  assert.deepEqual([row!.kind, row!.vlanId, row!.parent, row!.mtu], ['vlan', 100, index('v1'), 1300]);
  const [twice] = await kernel.change([createLink('v1.a', { kind: 'vlan', parent: index('v1'), id: 100 })]);
  assert.equal(twice!.errno, 17);
  const [wrong] = await kernel.change([createLink('v1.b', { kind: 'vlan', parent: index('v1'), id: 4096 })]);
  assert.equal(wrong!.errno, 34);
  assert.match(wrong!.text, /Invalid VLAN id/);
  await done(deleteLink(index('v1.100')));
}

async function vrfs(): Promise<void> {
  await done(createLink('red', { kind: 'vrf', table: 7000 }, { up: true }));
  await done(changeLink(index('m1'), { master: index('red'), up: true }));
  const rows = await kernel.dump(askLinks(), 'links', parseLink);
  const named = (name: string) => rows.find((row) => row.name === name)!;
  assert.deepEqual([named('red').kind, named('red').table, named('m1').master], ['vrf', 7000, index('red')]);
  const all = await kernel.dump(askRules(AF_INET), 'rules', parseRule);
  assert.ok(
    all.some((rule) => rule.table === 'vrf'),
    'the kernel makes the rule that asks the table of a VRF',
  );
  await done(deleteLink(index('red')));
}

/** 20,000 routes: in, told, out, with wrong ones among them. */
async function many(): Promise<void> {
  const some = Array.from({ length: 20_000 }, (_, i) =>
    route(`100.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`, [['br0', null]]),
  );
  const requests = some.map(createRoute);
  requests[777] = createRoute({
    ...some[777]!,
    target: { type: 'unicast', hops: [{ link: 4711, gateway: null, weight: 1, onLink: false }] },
  });
  const verdicts = await kernel.change(requests);
  assert.deepEqual(
    verdicts.flatMap((verdict, at) => (verdict === null ? [] : [[at, verdict.errno]])),
    [[777, 19]],
  );
  // Somebody asks in between, and gets nobody else's answers.
  const [told, one] = await Promise.all([ourRoutes(), kernel.get(askLinks(index('br0')), 'br0', parseLink)]);
  assert.deepEqual([told.length, one!.name], [19_999, 'br0']);
  const gone = await kernel.change(some.map(deleteRoute));
  assert.equal(gone.filter((verdict) => verdict !== null).length, 1);
  assert.deepEqual(await ourRoutes(), []);
}

/** News of others' doings. */
async function news(): Promise<void> {
  const watch = openNetlink({ groups: [1] });
  const heard = new Promise<string>((resolve) => {
    watch.onReadable(() => {
      const datagram = watch.receive();
      if (datagram !== null) resolve(Buffer.from(datagram).toString('latin1'));
    });
  });
  execFileSync('ip', ['link', 'set', 'v1', 'mtu', '1281']);
  assert.match(await heard, /v1/);
  watch.close();
}

execFileSync('ip', ['link', 'set', 'lo', 'up']);
const extra = { vlan: vlans, vrf: vrfs };
const more = process.argv.slice(2).map((name) => extra[name as keyof typeof extra]);
for (const part of [links, refusals, addresses, routes, foreign, rules, neighbours, ...more, many, news]) {
  try {
    await part();
  } catch (thrown) {
    console.error(`in ${part.name}:`);
    throw thrown;
  }
}
socket.close();
console.log('ok');
