/**
 * The life of our table of nftables: objects come back as they were set, what strangers do is seen and mended, one bad step holds back no
 * other, and the thousandth port costs what the first did. A program for a network namespace of its own; says `ok` at the end.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { natPool, natRule, publishedRule, samples, sampleUpdates } from '@vrouter/drivers/contract/samples.ts';
import { Conversation } from '@vrouter/drivers/linux/netlink/conversation.ts';
import { NFNLGRP_NFTABLES } from '@vrouter/drivers/linux/netlink/nftables/news.ts';
import { askRules, parseRule, ruleOf, sameExpressions } from '@vrouter/drivers/linux/netlink/nftables/rule.ts';
import { askSets, isSet, parseSet } from '@vrouter/drivers/linux/netlink/nftables/set.ts';
import type { FirewallObject } from '@vrouter/drivers/linux/nftables/cells.ts';
import { Firewall, type FirewallStep } from '@vrouter/drivers/linux/nftables/firewall.ts';
import { generationOf } from '@vrouter/drivers/linux/nftables/load.ts';
import { ruleMessages, wholeShape } from '@vrouter/drivers/linux/nftables/shape.ts';
import { NetlinkProtocol, openNetlink } from '@vrouter/host/netlink/netlink.ts';
import { type ObjectKey, objectKey, type PlaneObject } from '@vrouter/intent/model/objects.ts';

const nft = (...args: readonly string[]): string => execFileSync('nft', args, { encoding: 'utf8' });
const FOREIGN = `table ip theirs {
 map ports { type inet_service : ipv4_addr . inet_service; elements = { 80 : 10.9.9.9 . 8080 } }
 chain pre { type nat hook prerouting priority dstnat; policy accept
  dnat ip to tcp dport map @ports
 }
}
table inet firewalld { chain input { type filter hook input priority 10; policy accept
  tcp dport 22 counter accept comment "theirs"
 }
}
`;
execFileSync('nft', ['-f', '-'], { input: FOREIGN });
const foreign = (): string => nft('list', 'table', 'ip', 'theirs') + nft('list', 'table', 'inet', 'firewalld');
const foreignBefore = foreign();

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const kernel = new Conversation(openNetlink({ protocol: NetlinkProtocol.netfilter, sendBytes: 16 << 20 }), pause);
const news = openNetlink({ protocol: NetlinkProtocol.netfilter, groups: [NFNLGRP_NFTABLES] });
const firewall = new Firewall(kernel, news);
/** Reads everything from the kernel. */
const stranger = (): Firewall => new Firewall(kernel);

const set = (object: FirewallObject): FirewallStep => ({ op: 'set', object });
const gone = (object: FirewallObject): FirewallStep => ({ op: 'delete', object });
const isOurs = (object: PlaneObject): object is FirewallObject =>
  object.kind === 'natRule' || object.kind === 'natPool' || object.kind === 'isolation';

async function done(...steps: readonly FirewallStep[]): Promise<void> {
  assert.deepEqual(
    await firewall.apply(steps),
    steps.map(() => null),
  );
}

async function objects(of: Firewall = stranger()): Promise<Map<ObjectKey, FirewallObject>> {
  const seen = await of.observe();
  return new Map(seen.objects.map(({ key, object }) => [key, object]));
}

function published(port: number, more: object = {}): FirewallObject {
  return publishedRule({
    name: `port/default/*/tcp/${port}`,
    match: { type: 'destination', address: null, protocol: 'tcp', ports: [port, port] },
    ...more,
  });
}

/** The rows of the contract's suite that are ours to hold. */
async function contract(): Promise<void> {
  assert.deepEqual((await firewall.observe()).objects, []);
  for (const [from, to] of updates()) {
    await done(...from.map(set));
    const keys = from.map(objectKey);
    assert.deepEqual(
      (await stranger().observeKeys(keys)).map(({ object }) => object),
      from,
    );
    const before = await generationOf(kernel);
    await done(...from.map(set));
    assert.equal(await generationOf(kernel), before, 'what is so already is no change');
    if (to !== null) {
      await done(set(to));
      assert.deepEqual((await objects()).get(objectKey(to)), to);
    }
    for (let round = 0; round < 2; round++) await done(...from.map(gone));
    assert.deepEqual((await firewall.observe()).objects, []);
  }
  assert.deepEqual(await objects(), new Map());
}

function updates(): (readonly [FirewallObject[], FirewallObject | null])[] {
  const rows: [FirewallObject[], FirewallObject | null][] = [];
  for (const list of Object.values(samples)) rows.push([(list as readonly PlaneObject[]).filter(isOurs), null]);
  for (const { before, after } of sampleUpdates(0))
    if (isOurs(after)) rows.push([(before as readonly PlaneObject[]).filter(isOurs), after]);
  const more: readonly FirewallObject[] = [
    natRule({ name: 'none', match: { type: 'source', prefix: '0.0.0.0/0', leaving: [] } }),
    natRule({ name: 'six', match: { type: 'source', prefix: 'fd00::/8', leaving: ['eth0', 'eth1'] }, hairpin: false }),
    natRule({ name: `${'long/'.repeat(30)}`, match: { type: 'source', prefix: '10.0.0.1/32', leaving: null } }),
    publishedRule({
      match: { type: 'destination', address: 'fd00::1', protocol: 'sctp', ports: [7000, 7099] },
      to: { type: 'inside', address: 'fd00::2', port: 8000 },
      vrf: 'red',
      hairpin: false,
    }),
    natRule({ name: 'f6', match: { type: 'address', address: 'fd00::9' }, to: { type: 'host', address: 'fd00::2' } }),
    natPool({ name: 'both', addresses: ['198.51.100.7', '2001:db8::7', '2001:db8::8'], ports: [2000, 2999] }),
  ];
  for (const object of more) rows.push([[object], null]);
  return rows.filter(([from]) => from.length > 0);
}

async function links(): Promise<void> {
  const rows = [
    ['eth0', { vrf: 'default', mssClamp: true, sourceCheck: 'strict' }],
    ['eth1', { vrf: 'red', mssClamp: false, sourceCheck: 'loose' }],
    ['eth2', { vrf: 'red', mssClamp: true, sourceCheck: 'off' }],
  ] as const;
  await done(...rows.map(([name, traits]): FirewallStep => ({ op: 'link', name, traits })));
  assert.deepEqual((await stranger().observe()).links, new Map<string, unknown>(rows));
  assert.match(nft('list', 'chains'), /snat\.red/);
  await done({ op: 'link', name: 'eth1', traits: { vrf: 'default', mssClamp: true, sourceCheck: 'off' } });
  await done({ op: 'link', name: 'eth2', traits: null });
  assert.deepEqual((await stranger().observeLinks(['eth1', 'eth2'])).get('eth1'), {
    vrf: 'default',
    mssClamp: true,
    sourceCheck: 'off',
  });
  assert.doesNotMatch(nft('list', 'ruleset'), /red/, 'a VRF that nobody is in leaves nothing');
  await done({ op: 'link', name: 'eth0', traits: null }, { op: 'link', name: 'eth1', traits: null });
}

async function refusals(): Promise<void> {
  const first = published(80);
  const pool = natPool();
  const pooled = natRule({ name: 'pooled', to: { type: 'pool', pool: pool.name } });
  const codes = async (...steps: readonly FirewallStep[]): Promise<(string | null)[]> =>
    (await firewall.apply(steps)).map((one) => one?.code ?? null);
  assert.deepEqual(
    await codes(
      set(first),
      set(publishedRule({ name: 'the same port' })),
      set(published(81)),
      set(pooled),
      set(
        publishedRule({
          name: 'two families',
          to: { type: 'inside', address: 'fd00::1', port: 1 },
          match: { type: 'destination', address: '10.0.0.1', protocol: 'tcp', ports: [1, 1] },
        }),
      ),
      set(publishedRule({ name: 'x'.repeat(300) })),
      set(
        publishedRule({
          name: 'past the end',
          match: { type: 'destination', address: null, protocol: 'tcp', ports: [1000, 2000] },
          to: { type: 'inside', address: '10.0.0.1', port: 65_000 },
        }),
      ),
      set(natRule({ name: 'nonsense', to: { type: 'host', address: '10.0.0.1' } })),
    ),
    [
      null,
      'object.exists',
      null,
      'object.dependency',
      'input.invalid',
      'name.invalid',
      'input.invalid',
      'intent.unsupported',
    ],
  );
  assert.deepEqual([...(await objects()).keys()].sort(), [objectKey(first), objectKey(published(81))].sort());
  await done(set(pool), set(pooled));
  assert.deepEqual(await codes(gone(pool), gone(first)), ['object.dependency', null]);
  // Handed over within one change, whatever the order.
  const heir = publishedRule({
    name: 'heir',
    match: { type: 'destination', address: null, protocol: 'tcp', ports: [81, 81] },
  });
  await done(set(heir), gone(published(81)), gone(pool), gone(pooled));
  assert.deepEqual([...(await objects()).values()], [heir]);
  // What only the kernel refuses: a key that is too long for it comes to no harm elsewhere.
  assert.deepEqual(await codes(gone(heir)), [null]);
}

async function strangers(): Promise<void> {
  const rules = [published(80), published(81, { hairpin: false }), natRule()];
  await done(...rules.map(set), set({ kind: 'isolation', link: 'br0', internal: true, gateways: [] }));
  // Somebody changes his own table, and we look no further than that.
  const generation = await generationOf(kernel);
  nft('add', 'table', 'ip', 'passing');
  nft('delete', 'table', 'ip', 'passing');
  assert.equal((await generationOf(kernel)) - generation, 2);
  assert.equal((await firewall.observeKeys([objectKey(rules[0]!)])).length, 1);
  await done(set(published(82)), gone(published(82)));
  // An element of ours.
  nft('delete', 'element', 'inet', 'vrouter', 'port4.default', '{ tcp . 80 }');
  assert.equal((await objects(firewall)).has(objectKey(rules[0]!)), false, 'it is not there as it should be');
  await done(set(rules[0]!));
  assert.equal((await objects()).size, 4);
  // One that nobody knows, and a rule.
  nft('add', 'element', 'inet', 'vrouter', 'closed4.default', '{ tcp . 80 }');
  nft('insert', 'rule', 'inet', 'vrouter', 'forward', 'drop');
  assert.equal((await objects(firewall)).size, 4);
  await done(set(published(83)), gone(published(83)));
  assert.doesNotMatch(nft('list', 'chain', 'inet', 'vrouter', 'forward'), /^\s*drop/m);
  assert.match(nft('list', 'set', 'inet', 'vrouter', 'closed4.default'), /tcp . 81[^,]*}/);
  // All rules; all of it.
  nft('flush', 'table', 'inet', 'vrouter');
  assert.equal((await objects(firewall)).size, 4);
  assert.match(nft('list', 'chain', 'inet', 'vrouter', 'guarded'), /established/);
  nft('delete', 'table', 'inet', 'vrouter');
  assert.equal((await objects(firewall)).size, 0);
  await done(...rules.map(set));
  assert.equal((await objects()).size, 3);
  await done(...rules.map(gone));
  assert.doesNotMatch(nft('list', 'tables'), /vrouter/, 'nobody asks for anything');
  // A table of that name that is not ours.
  nft('add', 'table', 'inet', 'vrouter');
  await assert.rejects(firewall.observe(), /object\.exists/);
  await assert.rejects(firewall.apply([set(rules[0]!)]), /object\.exists/);
  nft('delete', 'table', 'inet', 'vrouter');
}

/** Others who change their tables all the time. */
async function company(): Promise<void> {
  const script = (table: string): string =>
    `while true; do nft add table ip ${table}; nft delete table ip ${table}; done`;
  const others = ['one', 'two'].map((table) => spawn('sh', ['-c', script(table)], { stdio: 'ignore', detached: true }));
  try {
    for (const some of [firewall, new Firewall(kernel)]) {
      for (let i = 1; i <= 100; i++) {
        assert.deepEqual(await some.apply([set(published(i))]), [null]);
        if (i % 10 === 0) await sleep(5);
      }
      assert.equal((await some.observe()).objects.length, 100);
      const all = Array.from({ length: 100 }, (_, i) => gone(published(i + 1)));
      assert.deepEqual(
        await some.apply(all),
        all.map(() => null),
      );
    }
  } finally {
    for (const other of others) {
      process.kill(-other.pid!, 'SIGKILL');
      await once(other, 'exit');
    }
    for (const table of ['one', 'two']) nft('add', 'table', 'ip', table, ';', 'delete', 'table', 'ip', table);
  }
}

/** Microseconds of a change at several sizes, and what reading everything takes. */
async function sizes(): Promise<void> {
  const time = async (from: number, count: number): Promise<number> => {
    const each: number[] = [];
    for (let i = from; i < from + count; i++) {
      const begun = performance.now();
      await done(set(published(i + 1)));
      each.push((performance.now() - begun) * 1000);
    }
    return each.sort((a, b) => a - b)[count >> 1]!;
  };
  await done(set(natRule()));
  await time(60_000, 100);
  const first = await time(0, 50);
  await time(50, 900);
  const thousandth = await time(950, 50);
  const many = Array.from({ length: 9000 }, (_, i) => set(published(1001 + i)));
  const begun = performance.now();
  await done(...many);
  const batch = performance.now() - begun;
  const last = await time(10_001, 50);
  const before = performance.now();
  assert.equal((await stranger().observe()).objects.length, 10_151);
  const all = performance.now() - before;
  const audit = performance.now();
  await firewall.observe();
  const again = performance.now() - audit;
  const key = performance.now();
  for (let i = 1; i <= 50; i++) await firewall.observeKeys([objectKey(published(i))]);
  const one = ((performance.now() - key) / 50) * 1000;
  console.log(
    `us per port: first ${first.toFixed()}, thousandth ${thousandth.toFixed()}, ten-thousandth ${last.toFixed()}; ` +
      `9000 at once ${batch.toFixed()} ms; reading all ${all.toFixed()} ms, again ${again.toFixed()} ms, one ${one.toFixed()} us`,
  );
  assert.ok(thousandth < first * 2 + 200 && last < first * 2 + 400);
}

/** A network of containers, of both families: what it takes to make the first and the thousandth, in µs. */
async function networks(): Promise<void> {
  const network = (i: number): readonly FirewallStep[] => {
    const [v4, v6] = [`10.${100 + (i >> 8)}.${i & 255}.0/24`, `fd00:0:0:${i.toString(16)}::/64`];
    const name = `br${i}`;
    const source = (prefix: string): FirewallStep =>
      set(natRule({ name: `masquerade/${prefix}`, match: { type: 'source', prefix, leaving: null } }));
    const traits = { vrf: i % 10 === 9 ? `vrf${i % 100}` : 'default', mssClamp: true, sourceCheck: 'strict' } as const;
    return [
      { op: 'link', name, traits },
      set({ kind: 'isolation', link: name, internal: false, gateways: [] }),
      source(v4),
      source(v6),
    ];
  };
  const time = async (from: number, to: number): Promise<number> => {
    const each: number[] = [];
    for (let i = from; i < to; i++) {
      const steps = network(i);
      const begun = performance.now();
      await done(...steps);
      each.push((performance.now() - begun) * 1000);
    }
    return each.sort((a, b) => a - b)[each.length >> 1]!;
  };
  await time(0, 100);
  const first = await time(100, 150);
  await time(150, 1000);
  const thousandth = await time(1000, 1050);
  console.log(`us per network: first ${first.toFixed()}, thousandth ${thousandth.toFixed()}`);
  assert.ok(thousandth < first * 3 + 1000);
  assert.equal((await stranger().observe()).links.size, 1050);
  const pool = natPool({ name: 'shared' });
  await done(set(pool));
  const pooled = (i: number): FirewallStep =>
    set(
      natRule({
        name: `pooled/${i}`,
        match: { type: 'source', prefix: `11.0.${i >> 8}.${i & 255}/32`, leaving: null },
        to: { type: 'pool', pool: 'shared' },
      }),
    );
  const each: number[] = [];
  for (let i = 0; i < 1000; i++) {
    const begun = performance.now();
    await done(pooled(i));
    each.push((performance.now() - begun) * 1000);
  }
  const middle = (some: readonly number[]): number => [...some].sort((a, b) => a - b)[some.length >> 1]!;
  console.log(
    `us per prefix of a pool: first ${middle(each.slice(0, 50)).toFixed()}, thousandth ${middle(each.slice(-50)).toFixed()}`,
  );
}

/** What nft makes of its own words and we of ours is the same to the kernel. */
async function oracle(): Promise<void> {
  const shape = wholeShape({
    groups: new Map([['default', { 4: new Set([0, 24, 32]), 6: new Set([64]) }]]),
    pools: new Map(),
  });
  await done({
    op: 'set',
    object: natRule({ name: 'a', match: { type: 'source', prefix: '0.0.0.0/0', leaving: null } }),
  });
  const words = nft('-n', 'list', 'table', 'inet', 'vrouter').replace('table inet vrouter', 'table inet oracle');
  // Its grammar does not know the type of a flow's port and zone, so it does not read these lines, which it has written itself.
  execFileSync('nft', ['-f', '-'], {
    input: words
      .split('\n')
      .filter((line) => !/ct original|ct zone set iifname|ct zone set oifname/.test(line))
      .join('\n'),
  });
  const theirs = (await kernel.dump(askRules('oracle'), 'rules', parseRule)).filter(({ table }) => table === 'oracle');
  const sets = (await kernel.dump(askSets('oracle'), 'sets', parseSet)).filter(({ table }) => table === 'oracle');
  let compared = 0;
  for (const spec of shape.sets) {
    const row = sets.find(({ name }) => name === spec.name);
    if (row !== undefined) assert.ok(isSet(row, spec), spec.name);
  }
  for (const spec of shape.chains) {
    if (spec.name.startsWith('published.') || spec.name.startsWith('source')) continue;
    const its = theirs.filter(({ chain }) => chain === spec.name);
    const ours = ruleMessages(spec)
      .map(ruleOf)
      .filter(({ expressions }) => !namesOf(expressions).includes('vrf_zone'));
    assert.equal(its.length, ours.length, spec.name);
    for (const [i, rule] of ours.entries()) {
      // Of "missing" nft compares one byte, which it shows as "missing/8".
      if (/ fib cmp (0 |.*(fib|immediate))/.test(namesOf(rule.expressions))) continue;
      compared++;
      assert.ok(sameExpressions(rule.expressions, its[i]!.expressions), `${spec.name}, rule ${i}`);
    }
  }
  nft('delete', 'table', 'inet', 'oracle');
  assert.ok(compared > 45, `${compared} rules compared`);
  nft('delete', 'table', 'inet', 'vrouter');
}
const namesOf = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes).replace(/[^a-z0-9_.]+/gi, ' ');

for (const part of [oracle, contract, links, refusals, strangers, company, sizes, networks]) {
  try {
    await part();
  } catch (thrown) {
    console.error(`in ${part.name}:`);
    throw thrown;
  }
}
assert.equal(foreign(), foreignBefore, 'what is not ours is as it was');
console.log('ok');
process.exit(0);
