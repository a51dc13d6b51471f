/**
 * What networks of containers are promised (docs/container-promises.md), each by its name: probes of a running world. As a program, for
 * namespaces of its own, it says a line of JSON for each.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Host } from '../nftables/places.ts';
import { Download, ip, name, network, onRouter, port, run, until, World } from './world.ts';

const all = [
  network('a', { mtu: 1400 }),
  network('b'),
  network('c', { internal: true, dnsServers: undefined }),
  port(8080, '172.18.0.2', 80),
  port(8080, 'fd18::2', 80, { hostAddress: '::' }),
  port(8081, '172.18.0.2', 80, { hostAddress: '192.0.2.1' }),
  port(8082, '172.18.0.2', 80, { hostAddress: '127.0.0.1' }),
  port(8083, '172.18.0.2', 80),
  port(8085, '172.18.0.2', 80, { protocol: 'udp' }),
  port(7100, '172.18.0.2', 9998, { count: 2 }),
  name('a', 'web', '172.18.0.2'),
  name('a', 'web6', 'fd18::2'),
  { kind: 'dnsName', network: 'a', name: 'db', addresses: ['172.18.0.3'], aliases: ['database'] },
  name('b', 'web', '172.19.0.2'),
];

export interface Here {
  readonly world: World;
  readonly router: Host;
}

type Probe = (here: Here) => Promise<void>;
const X = 'x'.repeat(1000);

/** `[who said what, what it should be]`. */
async function say(rows: readonly (readonly [title: string, said: Promise<string>, wanted: string])[]): Promise<void> {
  const told = await Promise.all(rows.map(async ([title, said]) => `${title}: ${await said}`));
  assert.deepEqual(
    told,
    rows.map(([title, , wanted]) => `${title}: ${wanted}`),
  );
}

const dig = (space: string, words: string): string =>
  run(`ip netns exec ${space} dig +time=2 +tries=1 ${words}`).trim();

/** Whether packets between the ports of one bridge pass through netfilter. */
function bridged(value: '0' | '1'): void {
  if (!existsSync('/proc/sys/net/bridge')) return;
  for (const family of ['ip', 'ip6']) onRouter(`sysctl -qw net.bridge.bridge-nf-call-${family}tables=${value}`);
}

/** Says other things for a while. */
async function saying({ world }: Here, what: readonly object[], probe: () => Promise<void>): Promise<void> {
  world.say(what);
  world.reload();
  await sleep(150);
  await world.settled().catch(() => 0);
  try {
    await probe();
  } finally {
    world.say(all);
    world.reload();
    await sleep(150);
    await world.settled();
  }
}

export const promises: { readonly [name: string]: Probe } = {
  'outbound NAT': ({ world: { hosts } }) =>
    say([
      ['IPv4', hosts.a1.tcp('192.0.2.2', 80), 'out 192.0.2.1'],
      ['IPv6', hosts.a1.tcp('2001:db8::2', 80), 'out 2001:db8::1'],
      ['UDP', hosts.a1.udp('192.0.2.2', 80), 'out 192.0.2.1'],
    ]),
  'no NAT inside a network': ({ world: { hosts } }) =>
    say([
      ['neighbour', hosts.a2.tcp('172.18.0.2', 80), 'a1 172.18.0.3'],
      ['IPv6', hosts.a2.tcp('fd18::2', 80), 'a1 fd18::3'],
      ['its gateway', hosts.a1.tcp('172.18.0.1', 9100), X],
    ]),
  'NAT can be off': (here) =>
    saying(here, [...all.slice(0, 1), network('b', { nat: false }), ...all.slice(2)], () =>
      say([
        ['b', here.world.hosts.b1.tcp('192.0.2.2', 80), 'out 172.19.0.2'],
        ['a', here.world.hosts.a1.tcp('192.0.2.2', 80), 'out 192.0.2.1'],
        ['and unpublished ports stay closed', here.world.hosts.out.tcp('172.19.0.2', 80), 'nothing'],
      ]),
    ),
  'a fixed outbound address': async (here) => {
    ip('-n router address add 192.0.2.10/24 dev up0');
    const pool = { kind: 'masquerade', prefix: '172.19.0.0/16', addresses: ['192.0.2.10'] };
    await saying(here, [...all.slice(0, 1), network('b', { nat: false }), ...all.slice(2), pool], () =>
      say([['b', here.world.hosts.b1.tcp('192.0.2.2', 80), 'out 192.0.2.10']]),
    );
    ip('-n router address del 192.0.2.10/24 dev up0');
  },
  'isolation between networks': ({ world: { hosts } }) =>
    say([
      ['published port, directly', hosts.b1.tcp('172.18.0.2', 80), 'nothing'],
      ['unpublished port', hosts.b1.tcp('172.18.0.2', 9999), 'nothing'],
      ['UDP', hosts.b1.udp('172.18.0.2', 9999), 'nothing'],
      ['IPv6', hosts.b1.tcp('fd18::2', 80), 'nothing'],
      ['the other way', hosts.a1.tcp('172.19.0.2', 80), 'nothing'],
    ]),
  'another network by a published port': ({ world: { hosts } }) =>
    say([
      ['an address of the host', hosts.b1.tcp('192.0.2.1', 8080), 'a1 172.19.0.2'],
      ['its own gateway', hosts.b1.tcp('172.19.0.1', 8080), 'a1 172.19.0.2'],
      ['IPv6', hosts.b1.tcp('2001:db8::1', 8080), 'a1 fd19::2'],
    ]),
  'nobody sends as another network’s member': async ({ world: { hosts } }) => {
    const sources = ['172.19.0.2', '203.0.113.9', 'fd19::2'];
    for (const source of sources) hosts.a1.exec(`ip address add ${source} dev lo`);
    for (const host of [hosts.out, hosts.b1]) await host.heard();
    for (const from of sources) {
      const [outside, published] = from.includes(':') ? ['2001:db8::2', '2001:db8::1'] : ['192.0.2.2', '192.0.2.1'];
      assert.equal(await hosts.a1.udp(outside, 9999, { from, patienceMs: 200 }), 'nothing', from);
      assert.equal(await hosts.a1.tcp(published, 8080, { from, patienceMs: 200 }), 'nothing', from);
    }
    assert.deepEqual([await hosts.out.heard(), await hosts.b1.heard()], ['', '']);
    for (const source of sources) hosts.a1.exec(`ip address del ${source}/${source.includes(':') ? 128 : 32} dev lo`);
  },
  'unpublished ports are closed': ({ world: { hosts } }) =>
    say([
      ['from outside', hosts.out.tcp('172.18.0.2', 9999), 'nothing'],
      ['IPv6', hosts.out.tcp('fd18::2', 9999), 'nothing'],
      ['UDP', hosts.out.udp('172.18.0.2', 9999), 'nothing'],
      ['at the host', hosts.out.tcp('192.0.2.1', 9999), 'refused'],
    ]),
  'no side door to a published container': ({ world: { hosts } }) =>
    say([
      ['its own port', hosts.out.tcp('172.18.0.2', 80), 'nothing'],
      ['IPv6', hosts.out.tcp('fd18::2', 80), 'nothing'],
    ]),
  'published on every address': ({ world: { hosts } }) =>
    say([
      ['IPv4', hosts.out.tcp('192.0.2.1', 8080), 'a1 192.0.2.2'],
      ['IPv6', hosts.out.tcp('2001:db8::1', 8080), 'a1 2001:db8::2'],
      ['UDP', hosts.out.udp('192.0.2.1', 8085), 'a1 192.0.2.2'],
      ['a range', hosts.out.tcp('192.0.2.1', 7101), 'a1 192.0.2.2'],
      ['another port of the same', hosts.out.tcp('192.0.2.1', 8083), 'a1 192.0.2.2'],
    ]),
  'published on one address': ({ world: { hosts } }) =>
    say([
      ['that', hosts.out.tcp('192.0.2.1', 8081), 'a1 192.0.2.2'],
      ['from another network', hosts.b1.tcp('192.0.2.1', 8081), 'a1 172.19.0.2'],
      ['another', hosts.b1.tcp('172.19.0.1', 8081), 'refused'],
    ]),
  'published on 127.0.0.1': ({ world: { hosts }, router }) =>
    say([
      ['the host itself', router.tcp('127.0.0.1', 8082), 'a1 172.18.0.1'],
      ['from outside', hosts.out.tcp('192.0.2.1', 8082), 'refused'],
      ['from a network', hosts.b1.tcp('172.19.0.1', 8082), 'refused'],
    ]),
  'loopback is not reached by a wire': async ({ world: { hosts } }) => {
    for (const [space, gateway] of [
      ['a2', '172.18.0.1'],
      ['out', '192.0.2.1'],
    ] as const) {
      for (const one of ['all', 'eth0']) hosts[space].exec(`sysctl -qw net.ipv4.conf.${one}.route_localnet=1`);
      hosts[space].exec(`ip route add 127.0.0.1 via ${gateway} dev eth0 table 99`);
      hosts[space].exec('ip rule add pref 10 to 127.0.0.1 lookup 99');
      hosts[space].exec('ip rule add pref 20 lookup local');
      hosts[space].exec('ip rule del pref 0');
    }
    await say([
      ['a service of the host', hosts.a2.tcp('127.0.0.1', 9100, { from: '172.18.0.3' }), 'nothing'],
      ['a port on 127.0.0.1, from a network', hosts.a2.tcp('127.0.0.1', 8082, { from: '172.18.0.3' }), 'nothing'],
      ['from outside', hosts.out.tcp('127.0.0.1', 8082, { from: '192.0.2.2' }), 'nothing'],
    ]);
    for (const space of ['a2', 'out'] as const) {
      hosts[space].exec('ip rule add pref 0 lookup local');
      hosts[space].exec('ip rule del pref 10');
      hosts[space].exec('ip rule del pref 20');
    }
  },
  'published ports from the host itself': ({ router }) =>
    say([
      ['its address', router.tcp('192.0.2.1', 8080), 'a1 192.0.2.1'],
      ['127.0.0.1', router.tcp('127.0.0.1', 8080), 'a1 172.18.0.1'],
      ['IPv6', router.tcp('2001:db8::1', 8080), 'a1 2001:db8::1'],
    ]),
  hairpin: ({ world: { hosts } }) =>
    say([
      ['itself', hosts.a1.tcp('192.0.2.1', 8080), 'a1 172.18.0.1'],
      ['a neighbour', hosts.a2.tcp('192.0.2.1', 8080), 'a1 172.18.0.1'],
      ['by the gateway', hosts.a2.tcp('172.18.0.1', 8080), 'a1 172.18.0.1'],
      ['UDP', hosts.a2.udp('192.0.2.1', 8085), 'a1 172.18.0.1'],
      ['IPv6', hosts.a2.tcp('2001:db8::1', 8080), 'a1 fd18::1'],
    ]),
  'hairpin where bridges pass through netfilter': async ({ world: { hosts } }) => {
    if (!existsSync('/proc/sys/net/bridge')) return;
    bridged('1');
    await say([
      ['a neighbour', hosts.a2.tcp('192.0.2.1', 8080), 'a1 172.18.0.3'],
      ['UDP', hosts.a2.udp('192.0.2.1', 8085), 'a1 172.18.0.3'],
    ]);
    bridged('0');
  },
  'transit is nobody’s published port': ({ world: { hosts } }) =>
    say([
      ['a remote server’s 8080', hosts.a1.tcp('192.0.2.2', 8080), 'out 192.0.2.1'],
      ['IPv6', hosts.a1.tcp('2001:db8::2', 8080), 'out 2001:db8::1'],
    ]),
  'real client addresses': ({ world: { hosts } }) =>
    say([
      ['TCP', hosts.out.tcp('192.0.2.1', 8080), 'a1 192.0.2.2'],
      ['UDP', hosts.out.udp('192.0.2.1', 8085), 'a1 192.0.2.2'],
      ['another network', hosts.b1.udp('192.0.2.1', 8085), 'a1 172.19.0.2'],
    ]),
  'flows end with their port': async (here) => {
    const { hosts } = here.world;
    assert.equal(await hosts.out.udp('192.0.2.1', 8085, { fromPort: 40_000 }), 'a1 192.0.2.2');
    const without = all.filter((one) => ![8085, 8083].includes((one as { hostPort?: number }).hostPort ?? 0));
    await saying(here, without, async () => {
      assert.notEqual(await hosts.out.udp('192.0.2.1', 8085, { fromPort: 40_000 }), 'a1 192.0.2.2');
      assert.equal(await hosts.out.tcp('192.0.2.1', 8083), 'refused');
      assert.equal(await hosts.out.tcp('192.0.2.1', 8080), 'a1 192.0.2.2', 'others go on');
    });
  },
  'who sends already reaches a new port': async (here) => {
    const { hosts } = here.world;
    const later = port(8086, '172.18.0.2', 80, { protocol: 'udp' });
    const asked = (): Promise<string[]> =>
      Promise.all([
        hosts.out.udp('192.0.2.1', 8086, { fromPort: 41_000 }),
        here.router.udp('192.0.2.1', 8086, { fromPort: 41_001 }),
      ]);
    assert.doesNotMatch((await asked()).join(), /a1/);
    await saying(here, [...all, later], async () => {
      assert.deepEqual(await asked(), ['a1 192.0.2.2', 'a1 192.0.2.1']);
    });
  },
  'internal networks': ({ world: { hosts } }) =>
    say([
      ['out', hosts.c1.tcp('192.0.2.2', 80), 'nothing'],
      ['IPv6', hosts.c1.tcp('2001:db8::2', 80), 'nothing'],
      ['in', hosts.out.tcp('172.20.0.2', 80), 'nothing'],
      ['another network’s port', hosts.c1.tcp('172.20.0.1', 8080), 'nothing'],
      ['services of the host', hosts.c1.tcp('172.20.0.1', 9100), X],
    ]),
  'internal networks ask nobody for names': async () => {
    assert.match(dig('c1', '@172.20.0.1 example.org'), /NXDOMAIN/);
  },
  'host services are reached': ({ world: { hosts } }) =>
    say([
      ['by the gateway', hosts.a1.tcp('172.18.0.1', 9100), X],
      ['by another address of the host', hosts.a1.tcp('192.0.2.1', 9100), X],
      ['IPv6', hosts.a1.tcp('fd18::1', 9100), X],
    ]),
  'names of the own network': async () => {
    const rows = [
      ['web', '172.18.0.2'],
      ['WEB.a.example', '172.18.0.2'],
      ['database', '172.18.0.3'],
      ['-t AAAA web6', 'fd18::2'],
      ['-t AAAA web', ''],
      ['-x 172.18.0.2', 'web.'],
    ] as const;
    for (const [question, answer] of rows) assert.equal(dig('a1', `+short @172.18.0.1 ${question}`), answer, question);
    assert.match(dig('a1', '@172.18.0.1 -t MX web'), /NOERROR/);
    assert.equal(dig('a1', '+short +tcp @172.18.0.1 web'), '172.18.0.2');
  },
  'names are scoped': async () => {
    assert.equal(dig('b1', '+short @172.19.0.1 web'), '172.19.0.2');
    assert.match(dig('b1', '@172.19.0.1 db'), /NXDOMAIN/);
    assert.throws(() => dig('b1', '@172.18.0.1 db'), 'another gateway says nothing');
  },
  MTU: async () => {
    assert.match(ip('-n router link show br-a'), /mtu 1400/);
    assert.match(ip('-n router link show br-b'), /mtu 1500/);
  },
  'strict reverse path filters': async ({ world: { hosts }, router }) => {
    onRouter('sysctl -qw net.ipv4.conf.all.rp_filter=1');
    await say([
      ['published', hosts.out.tcp('192.0.2.1', 8080), 'a1 192.0.2.2'],
      ['another network', hosts.b1.tcp('192.0.2.1', 8080), 'a1 172.19.0.2'],
      ['hairpin', hosts.a2.tcp('192.0.2.1', 8080), 'a1 172.18.0.1'],
      ['the host', router.tcp('127.0.0.1', 8080), 'a1 172.18.0.1'],
      ['out', hosts.a1.tcp('192.0.2.2', 80), 'out 192.0.2.1'],
    ]);
    onRouter('sysctl -qw net.ipv4.conf.all.rp_filter=0');
  },
  'what is taken is refused': async (here) => {
    const clashes = [port(7101, '172.19.0.2', 80), network('b', { id: 'twin', interface: 'br-twin' })];
    here.world.say([...all, ...clashes]);
    here.world.reload();
    await sleep(300);
    await until('both are told', async () => {
      const told = JSON.stringify(await here.world.ask('/v1/stats'));
      return told.includes('intent.conflict') && told.includes('network.overlap');
    });
    await say([['who was first has it', here.world.hosts.out.tcp('192.0.2.1', 7101), 'a1 192.0.2.2']]);
    here.world.say(all);
    here.world.reload();
    await sleep(150);
    await here.world.settled();
  },
};

if (import.meta.main) {
  const world = new World();
  await world.start();
  world.say(all);
  await world.run();
  await world.settled();
  world.attach('a', 'b', 'c');
  // Whoever is outside knows the way in, and still is not let in.
  ip('-n out route add 172.16.0.0/12 via 192.0.2.1');
  ip('-n out -6 route add fd00::/8 via 2001:db8::1');
  ip('-n out route add default via 192.0.2.1');
  bridged('0');
  const service = await new Download('router', 'serve', '9100').ready();
  const router = await new Host('router', undefined, true).start();
  await sleep(2500);
  try {
    for (const [promise, probe] of Object.entries(promises)) {
      const why = await probe({ world, router }).then(
        () => null,
        (thrown: Error) => thrown.message,
      );
      console.log(JSON.stringify({ promise, why }));
    }
  } finally {
    await service.end();
    await router.end();
    await world.end();
  }
  process.exit(0);
}
