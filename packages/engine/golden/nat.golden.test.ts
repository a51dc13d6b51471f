/** Stories of nat.txt and nat-vrf.txt: a gateway with an inside and an outside, whole packets through the whole graph. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatKey } from '@vrouter/core/bytes.ts';
import { seededRng } from '@vrouter/core/rng.ts';
import { generatePrivateKey } from '@vrouter/host/crypto/system.ts';
import type { Action } from '../control/messages.ts';
import { echoPacket, storyHex } from '../testing/packets.testing.ts';
import { WireguardClient } from '../testing/wireguard-client.testing.ts';
import { GATEWAY_IP, World } from '../testing/world.testing.ts';

const CLIENTS = [1, 2, 3];
const OUTSIDE_PORT = 51821;

async function world(workers: number = 1): Promise<World> {
  // Identifications begin at the same number in each life.
  const made = new World(seededRng(7), workers);
  await made.gateway();
  await made.client(1);
  await made.client(2);
  const outside = new WireguardClient(await made.network.host('192.0.2.200')({ port: 0 }), made.clock, made.keyFor(3));
  made.clients.push(outside);
  await made.do(
    { do: 'link.set', name: 'wg1', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
    { do: 'wireguard.set', link: 'wg1', listenPort: OUTSIDE_PORT, privateKey: formatKey(generatePrivateKey()) },
    { do: 'address.add', link: 'wg1', address: '198.51.100.1/24' },
    { do: 'route.set', vrf: 'default', prefix: '0.0.0.0/0', link: 'wg1', nextHop: null },
    {
      do: 'peer.set',
      link: 'wg1',
      publicKey: outside.publicKey,
      presharedKey: null,
      allowedIps: ['0.0.0.0/0'],
      persistentKeepalive: 0,
    },
  );
  const row = made.engine.dump([{ is: 'wireguard', link: 'wg1' }])[0];
  assert.ok(row?.is === 'wireguard');
  outside.connect(row.publicKey, `${GATEWAY_IP}:${OUTSIDE_PORT}`);
  // Hands are shaken before there is any NAT.
  const hellos = ['10.77.0.2', '10.77.0.3', '203.0.113.5'];
  for (const [i, client] of made.clients.entries()) {
    client.send(echoPacket({ src: hellos[i]!, dst: i === 2 ? '198.51.100.1' : '10.77.0.1' }));
    made.settle();
    assert.equal(client.inbox.splice(0).length, 1);
  }
  await made.do(
    {
      do: 'masquerade.set',
      name: 'out',
      vrf: 'default',
      prefix: '10.77.0.0/24',
      leaving: ['wg1'],
      pool: null,
      hairpin: true,
    },
    {
      do: 'publish.set',
      name: 'web',
      vrf: 'default',
      protocol: 'tcp',
      address: '198.51.100.1',
      firstPort: 80,
      lastPort: 80,
      toAddress: '10.77.0.3',
      toPort: 8080,
      hairpin: true,
    },
  );
  return made;
}

/** The inside in a VRF of its own, joined by a default route out of wg1, which stays where it is and takes less than the inside. */
async function twoVrfs(workers: number): Promise<World> {
  const made = await world(workers);
  const inside = { vrf: 'blue', link: 'wg0', nextHop: null } as const;
  await made.do(
    { do: 'natRule.remove', name: 'web' },
    { do: 'natRule.remove', name: 'out' },
    { do: 'vrf.set', name: 'blue', tableId: 7 },
    { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'blue', mtu: 1420, adminUp: true },
    { do: 'link.set', name: 'wg1', type: 'wireguard', vrf: 'default', mtu: 576, adminUp: true },
    { do: 'route.remove', vrf: 'default', prefix: '10.77.0.0/24' },
    { do: 'route.set', ...inside, prefix: '10.77.0.0/24' },
    { do: 'route.set', ...inside, prefix: '0.0.0.0/0', link: 'wg1' },
    {
      do: 'masquerade.set',
      name: 'out',
      vrf: 'blue',
      prefix: '10.77.0.0/24',
      leaving: ['wg1'],
      pool: null,
      hairpin: true,
    },
  );
  return made;
}

const text = readFileSync(new URL('nat.txt', import.meta.url), 'utf8');
const vrfText = readFileSync(new URL('nat-vrf.txt', import.meta.url), 'utf8');
const stories = [
  ...text
    .split(/^# /m)
    .slice(1)
    .map((story) => ({ story, make: world })),
  ...vrfText
    .split(/^# /m)
    .slice(1)
    .map((story) => ({ story, make: twoVrfs })),
];
for (const { story, make } of stories) {
  const [title, ...lines] = story.trim().split('\n');
  for (const workers of [1, 2, 3]) play(title!, lines, workers, make);
}

function play(
  title: string,
  lines: readonly string[],
  workers: number,
  make: (workers: number) => Promise<World>,
): void {
  test(`${title}, ${workers} workers`, async () => {
    const made = await make(workers);
    const expected = new Map<number, string[]>(CLIENTS.map((n) => [n, []]));
    const drops: { [reason: string]: number } = {};
    const counts: string[] = [];
    for (const line of lines) {
      const [verb, what, value] = line.split(' ');
      if (verb === 'from') {
        made.clients[Number(what) - 1]!.send(Uint8Array.fromHex(value!));
        made.settle();
      } else if (verb === 'do') await made.do(JSON.parse(line.slice(3)) as Action);
      else if (verb === 'to') expected.get(Number(what))!.push(value!);
      else if (verb === 'wait') made.pass(Number(what));
      else if (verb === 'drop') drops[what!] = Number(value);
      else if (verb === 'link') counts.push(line);
      else assert.fail(`what is "${line}"?`);
    }
    for (const n of CLIENTS) {
      const came = made.clients[n - 1]!.inbox.map((packet) => storyHex(packet, workers));
      const told = expected.get(n)!.map((packet) => storyHex(Uint8Array.fromHex(packet), workers));
      assert.deepEqual(came, told, `to ${n}`);
    }
    assert.deepEqual(made.drops(), drops);
    const hands = [2, 1];
    const told = made.engine.counters().links.map(({ rxPackets, txPackets, drops: dropped }, i) => {
      return `link ${i} rx ${rxPackets - hands[i]!} tx ${txPackets - hands[i]!} drops ${dropped}`;
    });
    assert.deepEqual(told, counts);
  });
}

for (const workers of [1, 3])
  test(`rules, sessions and pools are told; what others stand on stays, ${workers} workers`, async () => {
    const made = await world(workers);
    made.clients[0]!.send(Uint8Array.fromHex(/^from 1 (\w+)/m.exec(text)![1]!));
    made.settle();
    const told = made.engine.natSessions(10);
    assert.equal(told.total, 1);
    assert.deepEqual(told.sessions, [
      {
        rule: 'out',
        protocol: 'udp',
        inside: '10.77.0.2:4000',
        outside: '198.51.100.1:4000',
        remote: '203.0.113.5:53',
        state: 'transitory',
        expiresInSeconds: told.sessions[0]!.expiresInSeconds,
      },
    ]);
    assert.equal(made.engine.natSessions(0).sessions.length, 0);
    assert.deepEqual([told.hosts, told.mostOfHost, told.limits.sessions, told.limits.udpSeconds], [1, 1, 65_536, 300]);
    const { limits } = told;
    assert.deepEqual(made.engine.dump([{ is: 'natSettings' }]), []);
    await made.do({ do: 'natSettings.set', ...limits, sessions: 7, icmpSeconds: 5 });
    assert.deepEqual(made.engine.dump([{ is: 'natSettings' }]), [
      { is: 'natSettings', ...limits, sessions: 7, icmpSeconds: 5 },
    ]);
    assert.equal(made.engine.dump().filter((row) => row.is === 'natSettings').length, 1);
    const bad = await made.engine.apply([{ do: 'natSettings.set', ...limits, udpSeconds: 0 }]);
    assert.deepEqual([bad[0]?.code, bad[0]?.field], ['input.invalid', 'udpSeconds']);
    assert.equal(made.engine.natSessions(0).limits.sessions, 7, 'a bad one changes nothing');
    await made.do({ do: 'natSettings.remove' }, { do: 'natSettings.remove' });
    assert.deepEqual(made.engine.natSessions(0).limits, limits);
    const [rule] = made.engine.dump([{ is: 'natRule', name: 'out' }]);
    assert.ok(rule?.is === 'masquerade');
    assert.deepEqual([rule.packets, rule.bytes, rule.sessions], [1, 31, 1]);
    const pool = {
      do: 'natPool.set',
      name: 'p',
      addresses: ['198.51.100.9'],
      firstPort: 1024,
      lastPort: 65535,
    } as const;
    const pooled = { ...rule, do: 'masquerade.set', pool: 'p' } as const;
    const refused = await made.engine.apply([
      { do: 'link.remove', name: 'wg1' },
      {
        do: 'masquerade.set',
        name: 'x',
        vrf: 'default',
        prefix: 'fd77::/64',
        leaving: null,
        pool: null,
        hairpin: true,
      },
      pooled,
      pool,
      pooled,
      { do: 'natPool.remove', name: 'p' },
      {
        do: 'publish.set',
        name: 'again',
        vrf: 'default',
        protocol: 'tcp',
        address: '198.51.100.1',
        firstPort: 70,
        lastPort: 90,
        toAddress: '10.77.0.2',
        toPort: 70,
        hairpin: true,
      },
    ]);
    assert.deepEqual(
      refused.map((one) => one?.code ?? null),
      ['object.dependency', 'input.invalid', 'object.dependency', null, null, 'object.dependency', 'object.exists'],
    );
    assert.equal(made.engine.natSessions(1).total, 0, 'another rule, another session');
    made.clients[2]!.inbox.length = 0;
    made.clients[2]!.send(echoPacket({ src: '203.0.113.5', dst: '198.51.100.9' }));
    made.settle();
    assert.equal(made.clients[2]!.inbox.length, 1, 'a pool address is ours');
    await made.do(
      { do: 'natRule.remove', name: 'out' },
      { do: 'natRule.remove', name: 'web' },
      { do: 'natPool.remove', name: 'p' },
    );
    made.clients[2]!.inbox.length = 0;
    made.clients[2]!.send(echoPacket({ src: '203.0.113.5', dst: '198.51.100.9' }));
    made.settle();
    assert.equal(made.clients[2]!.inbox[0]![20], 8, 'and no longer: the request goes where the default route leads');
  });
