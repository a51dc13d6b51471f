/** `vrouterctl apply` and `export` against a controller that runs: plans, pruning, what is made anew, and what is refused. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { PeerList } from '@vrouter/api/rest/peers.ts';
import type { PortList } from '@vrouter/api/rest/ports.ts';
import type { Vrouter } from '@vrouter/api/rest/vrouters.ts';
import { anyVrouter, dice, keyFrom } from '../../programs/cli/apply/worlds.testing.ts';
import { fileText } from '../../programs/cli/export/file-text.ts';
import { needs } from '../world/needs.ts';
import { ApplyWorld, lastLine } from './world.ts';

const world = await ApplyWorld.start();
after(() => world[Symbol.asyncDispose]());
const [k1, k2, k3] = [1, 2, 3].map((seed) => keyFrom(dice(seed))) as [string, string, string];

async function get<T>(path: string): Promise<T> {
  return (await world.controller.call('GET', path)).json as T;
}

const peersOf = async (vrouter: string) =>
  new Map((await get<PeerList>(`/v1/vrouters/${vrouter}/peers`)).peers.map((peer) => [peer.name, peer]));

/** Of a `--json` run or plan. */
function stepsOf(
  out: string,
): { action: string; kind: string; id: string; state?: string; error?: { code: string } | null }[] {
  return (JSON.parse(out) as { steps: ReturnType<typeof stepsOf> }).steps;
}

/** Every section, in words that are not those that the controller gives back. */
const everything = (name: string, more = ''): string => `
vrouters:
  ${name}:
    endpoint: vpn.example.org
    networks: ['FD77:0::/64', 10.77.0.0/24]
    vrfs: { blue: , 01: {} }
    hostInterfaces: { host0: { addresses: [10.99.0.2/24, 'FD99:0::1/64'], routes: ['FD98:0:0::/64', 10.98.0.0/16] } }
    ports: { lan: { tap: tap0, vrf: blue, mac: 02-00-5E-00-00-01, addresses: [192.168.1.1/24] } }
    peers:
      office: { publicKey: ${k1}, presharedKey: ${k2}, allowedIps: [10.6.0.0/16, 'FD05:0::/64', 10.5.0.0/16], endpoint: '[2001:DB8:0::1]:5' }
      phone: { publicKey: ${k2}, persistentKeepalive: 25 }
    routes:
      - { vrf: blue, prefix: 'FD01:0::/48', interface: lan }
      - { vrf: blue, prefix: 10.1.0.0/16, interface: lan, nextHop: 192.168.1.2 }
      - { prefix: 203.0.113.0/24, blackhole: true }
    masquerades: [{ vrf: blue, prefix: 10.0.0.0/8, leaving: [lan], addresses: [192.0.2.9, 192.0.2.1] }]
    publishedPorts: [{ vrf: blue, protocol: tcp, hostPort: 80, address: 10.77.0.2, port: 8080, count: 3 }]
    floatingIps: { mail: { vrf: blue, address: 192.0.2.7, fixedAddress: 10.77.0.3 } }
    natSettings: { sessions: 1000 }
${more}`;

test('a plan, what it says, and then nothing more to do', async () => {
  const plan = await world.apply(everything('whole'), '--plan', '--exit-code', '--json');
  assert.deepEqual([plan.status, plan.err], [3, '']);
  assert.ok(stepsOf(plan.out).every(({ action }) => action === 'create'));
  assert.ok(!plan.out.includes(`"${k2}"`) || plan.out.split(k2).length === 2, 'as a public key alone');
  assert.equal((await world.controller.call('GET', '/v1/vrouters/whole')).status, 404, 'a plan changes nothing');
  const done = await world.apply(everything('whole'));
  assert.deepEqual([done.status, done.err], [0, '']);
  assert.match(done.out, /\n14 created\nwhole waits for a gateway; .*vrouterctl vrouter token whole\n$/);
  assert.ok(!done.out.includes('vrj_'), 'no join string is shown');
  for (const args of [['--plan'], ['--plan', '--prune'], ['--prune']]) {
    const { version } = (await get<Vrouter>('/v1/vrouters/whole')).status;
    const again = await world.apply(everything('whole'), ...args, ...(args[0] === '--plan' ? ['--exit-code'] : []));
    assert.deepEqual([again.status, again.err, again.out], [0, '', 'nothing to do; 14 as they should be\n']);
    assert.equal((await get<Vrouter>('/v1/vrouters/whole')).status.version, version);
  }
});

test('an export changes nothing, in YAML and in JSON, and makes the same elsewhere', async () => {
  await world.apply(everything('from'));
  for (const args of [['export', 'from'], ['export'], ['export', 'from', '--json']]) {
    const { out, status } = await world.run(args);
    assert.equal(status, 0);
    assert.equal(
      lastLine((await world.apply(out, '--plan', '--prune', '--exit-code')).out).split(';')[0],
      'nothing to do',
    );
  }
  const text = (await world.run(['export', 'from'])).out;
  assert.match(text, /# its presharedKey is not exported/);
  assert.ok(!text.replace(`publicKey: ${k2}`, '').includes(k2), 'no preshared key');
  assert.equal((await world.apply(text.replace('  from:', '  to:'))).status, 0);
  const there = (await world.run(['export', 'to'])).out;
  assert.equal(there.replace('  to:', '  from:'), text.replace(/\n.*is not exported.*/, ''));
});

test('property: whatever came of a file, its export changes nothing, and it again only what was refused', async () => {
  let things = 0;
  for (let seed = 1; seed <= 5; seed++) {
    const name = `any${seed}`;
    const text = fileText(anyVrouter(name, dice(seed)));
    const first = stepsOf((await world.apply(text, '--json')).out);
    const { out } = await world.run(['export', name]);
    assert.match((await world.apply(out, '--plan', '--prune', '--exit-code')).out, /^nothing to do; /, text);
    const left = stepsOf((await world.apply(text, '--plan', '--json')).out).map(({ kind, id }) => `${kind} ${id}`);
    const refused = first.filter(({ state }) => state !== 'done').map(({ kind, id }) => `${kind} ${id}`);
    assert.deepEqual(left.sort(), refused.sort());
    things += first.length - refused.length;
  }
  assert.ok(things > 30, `${things}`);
});

test('without --prune what no file says is left alone and counted, with it it goes', async () => {
  await world.apply(everything('prune'));
  const file = `vrouters: { prune: { peers: { phone: { publicKey: ${k2}, persistentKeepalive: 25 } } } }`;
  const left = await world.apply(file);
  assert.match(
    left.out,
    /^nothing to do; 2 as they should be; 12 in no file and left alone \(2 VRFs, 1 host interface, 1 port, 1 peer, 3 routes/,
  );
  const pruned = await world.apply(file, '--prune');
  assert.deepEqual([pruned.status, lastLine(pruned.out)], [0, '12 deleted']);
  assert.deepEqual([...(await peersOf('prune')).keys()], ['phone']);
  assert.equal((await get<{ vrfs: unknown[] }>('/v1/vrouters/prune/vrfs')).vrfs.length, 1);
  assert.match((await world.apply(file, '--plan', '--prune')).out, /^nothing to do; 2 as they should be\n$/);
});

test('what cannot be changed is made anew, and what goes by it too', async () => {
  await world.apply(everything('anew'));
  const file = everything('anew').replace('tap: tap0,', 'tap: tap0, mtu: 1400,').replace(k1, k3);
  const plan = await world.apply(file, '--plan');
  assert.match(plan.out, /-\/\+ replace port lan: its traffic is interrupted\n {6}mtu: 1500 → 1400\n/);
  assert.match(plan.out, /~ change peer office: its traffic is interrupted\n/);
  assert.match(plan.out, /-\/\+ replace route 10\.1\.0\.0\/16 in blue: .*it goes by lan, which is made anew\n/);
  const done = await world.apply(file);
  assert.deepEqual([done.status, done.err, lastLine(done.out)], [0, '', '1 changed, 4 replaced']);
  assert.match((await world.apply(file, '--plan', '--exit-code')).out, /^nothing to do/);
  assert.equal((await peersOf('anew')).get('office')!.publicKey, k3);
});

test('what was removed and cannot be made anew is put back', async () => {
  const body = (lan: string): string =>
    `vrouters: { back: { vrfs: { blue: }, ports: { lan: { tap: t0, addresses: [192.168.1.1/24]${lan} }, wan: { tap: t1, addresses: [192.168.2.1/24] } } } }`;
  await world.apply(body(''));
  const file = body('').replace('192.168.1.1/24', '192.168.2.9/24');
  const { status, err } = await world.apply(file);
  assert.equal(status, 1);
  assert.match(err, /^port lan of back: .* the old one was put back \(route\.exists\), in addresses\[0\]\n/);
  assert.match(err, /error: 1 of 1 changes failed; .*\(route\.exists\)\n$/);
  const { ports } = await get<PortList>('/v1/vrouters/back/ports');
  assert.deepEqual(
    ports.map(({ name, addresses }) => [name, ...addresses]),
    [
      ['lan', '192.168.1.1/24'],
      ['wan', '192.168.2.1/24'],
    ],
  );
});

test('prefixes, keys and names move from one peer to another in one run', async () => {
  const file = (a: string, b: string): string =>
    `vrouters: { swap: { peers: { a: { publicKey: ${k1}, allowedIps: [${a}] }, b: { publicKey: ${k2}, allowedIps: [${b}] } } } }`;
  await world.apply(file('10.1.0.0/16', '10.2.0.0/16'));
  const swapped = await world.apply(file('10.2.0.0/16', '10.1.0.0/16'));
  assert.deepEqual([swapped.status, swapped.err, lastLine(swapped.out)], [0, '', '2 changed']);
  assert.ok((await peersOf('swap')).get('a')!.allowedIps.includes('10.2.0.0/16'));
  const renamed = await world.apply(
    file('10.2.0.0/16', '10.1.0.0/16').replace('a: {', 'c: {').replace(k2, k3),
    '--prune',
  );
  assert.deepEqual([renamed.status, renamed.err, lastLine(renamed.out)], [0, '', '2 changed']);
  assert.equal((await peersOf('swap')).get('c')!.publicKey, k1);
});

test('a network more, and peers that change, in one run', async () => {
  const file = (networks: string, keepalive: number): string =>
    `vrouters: { grow: { networks: [${networks}], peers: { a: { publicKey: ${k1}, persistentKeepalive: ${keepalive} } } } }`;
  await world.apply(file('10.77.0.0/24', 0));
  const { status, err, out } = await world.apply(file('10.77.0.0/24, 10.78.0.0/24', 5));
  assert.deepEqual([status, err, lastLine(out)], [0, '', '2 changed']);
  assert.equal((await peersOf('grow')).get('a')!.addresses.length, 2);
});

test('one bad thing among many: the rest is done, what needs it is not tried', async () => {
  const file = `vrouters:
  many:
    peers:
      a: { publicKey: ${k1}, allowedIps: [10.9.0.0/16] }
      b: { publicKey: ${k2}, allowedIps: [224.0.0.0/8] }
      c: { publicKey: ${k3} }
    ports: { lan: { tap: t0, addresses: [127.0.0.1/8] } }
    routes: [{ prefix: 10.1.0.0/16, interface: lan }, { prefix: 10.2.0.0/16, interface: wg0 }]`;
  const { status, out, err } = await world.apply(file, '--json');
  assert.equal(status, 1);
  const states = Object.fromEntries(
    stepsOf(out).map((step) => [`${step.kind} ${step.id}`, step.error?.code ?? step.state]),
  );
  assert.deepEqual(states, {
    'vrouter many': 'done',
    'port lan': 'prefix.invalid',
    'peer a': 'done',
    'peer b': 'prefix.invalid',
    'peer c': 'done',
    'route default 10.1.0.0/16': 'notTried',
    'route default 10.2.0.0/16': 'done',
  });
  assert.match(
    (JSON.parse(err) as { error: { message: string } }).error.message,
    /^2 of 7 changes failed, 1 were not tried/,
  );
  const again = await world.apply(file.replace('224.0.0.0', '10.0.0.0').replace('127.0.0.1', '192.168.1.1'));
  assert.deepEqual([again.status, lastLine(again.out)], [0, '3 created'], 'it goes on with what is left');
});

test('what cannot be had as the file says is refused in the plan already, and the rest is done', async () => {
  await world.apply(`vrouters: { no: { networks: [10.77.0.0/24, 10.78.0.0/24] } }`);
  const file = `vrouters: { no: { networks: [10.77.0.0/24], peers: { p: { publicKey: ${k1} } } } }`;
  assert.equal((await world.apply(file, '--plan', '--exit-code')).status, 1);
  const { status, out, err } = await world.apply(file);
  assert.equal(status, 1);
  assert.match(
    out,
    /! refused vrouter no: 10\.78\.0\.0\/24 cannot be taken away; name it too \(input\.invalid\), in networks\n/,
  );
  assert.match(err, /error: 1 cannot be had as the file says; /);
  assert.equal(lastLine(out), '1 created');
});

test('files, folders, and what is wrong with them', async () => {
  const folder = join(world.folder, 'network');
  mkdirSync(folder);
  writeFileSync(join(folder, 'a.yaml'), 'vrouters: { dir: { vrfs: { blue: } } }');
  writeFileSync(join(folder, 'b.yml'), 'vrouters: { dir: { vrfs: { red: } } }');
  writeFileSync(join(folder, 'notes.txt'), ':::');
  const both = await world.run(
    ['apply', '-f', folder, '--file', '-', '--yes'],
    'vrouters: { dir: { vrfs: { green: } } }',
  );
  assert.deepEqual([both.status, both.err], [0, '']);
  assert.match(both.out, /\n4 created\n/);
  writeFileSync(join(folder, 'c.yaml'), 'vrouters: { dir: { mtu: big } }');
  const wrong = await world.run(['apply', '-f', folder, '--yes']);
  assert.equal(wrong.status, 2);
  assert.match(
    wrong.err,
    /network\/c\.yaml:1:20: expected number, received string \(input\.invalid\), in vrouters\.dir\.mtu\nerror: .*\(config\.invalid\)\n$/,
  );
  const json = JSON.parse((await world.run(['apply', '-f', folder, '--plan', '--json'])).err) as {
    mistakes: { line: number }[];
  };
  assert.deepEqual(
    json.mistakes.map(({ line }) => line),
    [1],
  );
  for (const [args, why] of [
    [['apply'], /required option '-f, --file <path>' not specified.*\(usage\)/],
    [['apply', '-f', 'nowhere.yaml', '--plan'], /cannot read nowhere\.yaml: ENOENT \(config\.invalid\), in --file/],
    [['apply', '-f', '-', '-f', '-', '--plan'], /read once.*\(usage\)/],
    [['apply', '-f', '-', '--yes', '--exit-code'], /--exit-code is for --plan \(usage\)/],
    [['apply', '-f', '-', '--plan'], /there is no vrouter in what was given/],
    [['apply', '-f', folder], /nobody to ask.*--yes.*\(usage\), in --yes/],
  ] as const) {
    const { status, err, out } = await world.run(args);
    assert.deepEqual([status, out], [2, ''], args.join(' '));
    assert.match(err, why);
  }
  const nobody = await world.run(['export', 'nobody']);
  assert.deepEqual([nobody.status, nobody.out], [1, '']);
  assert.match(nobody.err, /no vrouter "nobody" \(vrouter\.notFound\)/);
});

test('a token that may only look plans, and is refused once for all', async () => {
  await world.controller.call('POST', '/v1/users', { name: 'eve', role: 'viewer' });
  const made = await world.controller.call('POST', '/v1/api-tokens', { user: 'eve', name: 't' });
  const { token } = made.json as { token: string };
  const path = join(world.folder, 'eve');
  writeFileSync(path, token);
  const file = everything('looked');
  assert.equal((await world.run(['apply', '-f', '-', '--plan', '--token-file', path], file)).status, 0);
  const { status, err } = await world.run(['apply', '-f', '-', '--yes', '--token-file', path], file);
  assert.equal(status, 1);
  assert.match(
    err,
    /^error: .*; 14 of 14 changes were not made; run it again and it goes on \(request\.roleNeeded\)\n$/,
  );
});

const terminal = { skip: needs('script') };

test('at a terminal it asks; only y is yes', terminal, async () => {
  const path = join(world.folder, 'tty.yaml');
  writeFileSync(path, `vrouters: { tty: { vrfs: { blue: } } }`);
  for (const answer of ['', 'n', 'nay']) {
    const { status, out } = await world.ask(['apply', '-f', path], answer);
    assert.equal(status, 1, out);
    assert.match(out, /2 to create\r\nApply these changes\? \[y\/N\] [\s\S]*nothing was changed/);
  }
  assert.equal((await world.controller.call('GET', '/v1/vrouters/tty')).status, 404);
  const { status, out } = await world.ask(['apply', '-f', path], 'y');
  assert.deepEqual([status, out.includes('2 created')], [0, true]);
  assert.match((await world.ask(['apply', '-f', path], 'y')).out, /^nothing to do/, 'then there is nothing to ask');
});

test(
  'what somebody else changed while one thought is refused, not overwritten; the rest is done',
  terminal,
  async () => {
    const path = join(world.folder, 'race.yaml');
    const file = (keepalive: number, port: number): string =>
      `vrouters: { race: { peers: { a: { publicKey: ${k1}, persistentKeepalive: ${keepalive} }, b: { publicKey: ${k2}, persistentKeepalive: ${keepalive} } }, routes: [{ prefix: 10.0.0.0/8, blackhole: true }], publishedPorts: [{ protocol: tcp, hostPort: 80, address: 10.77.0.2, port: ${port} }] } }`;
    await world.apply(file(0, 1));
    writeFileSync(path, file(7, 2).replace(', routes: [{ prefix: 10.0.0.0/8, blackhole: true }]', ''));
    const url = '/v1/vrouters/race';
    const { status, out } = await world.ask(['apply', '-f', path, '--prune'], 'y', async () => {
      await world.controller.call('PATCH', `${url}/peers/a`, { persistentKeepalive: 99 });
      await world.controller.call('DELETE', `${url}/routes?prefix=10.0.0.0%2F8`);
      await world.controller.call('POST', `${url}/routes`, { prefix: '10.0.0.0/8', interface: 'wg0' });
    });
    assert.equal(status, 1, out);
    assert.match(out, /peer a of race: somebody changed it meanwhile.*\(request\.outdated\)/);
    assert.match(out, /route 10\.0\.0\.0\/8 of race: somebody changed it meanwhile.*\(request\.outdated\)/);
    assert.match(out, /1 changed, 1 replaced\r\n/);
    const peers = await peersOf('race');
    assert.deepEqual([peers.get('a')!.persistentKeepalive, peers.get('b')!.persistentKeepalive], [99, 7]);
  },
);
