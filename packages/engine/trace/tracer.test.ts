/** Whole engines with clients: what is told of packets on their way, and that the packets do not notice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceFilter, TraceRow } from '../control/trace-messages.ts';
import { echoPacket, udpPacket } from '../testing/packets.testing.ts';
import { World, workersInTests } from '../testing/world.testing.ts';
import type { CaptureWatch, TraceWatch } from './watch.ts';

async function world(): Promise<World> {
  const made = new World();
  await made.gateway();
  for (const n of [1, 2]) {
    const client = await made.client(n);
    client.send(echoPacket({ src: `10.77.0.${n + 1}`, dst: '10.77.0.1' }));
    made.settle();
    client.inbox.length = 0;
  }
  return made;
}

function trace(made: World, filter: TraceFilter = {}): TraceWatch {
  const watch = made.engine.trace(filter, () => {});
  assert.ok(watch.ok, JSON.stringify(watch));
  return watch.value;
}

function capture(made: World, filter: TraceFilter = {}, snapLen = 65_535): CaptureWatch {
  const watch = made.engine.capture(filter, snapLen, () => {});
  assert.ok(watch.ok, JSON.stringify(watch));
  return watch.value;
}

const nodesOf = (row: TraceRow): readonly string[] => row.steps.map((step) => step.node);
const data = Uint8Array.of(1, 2, 3);
const forward = { src: '10.77.0.2', dst: '10.77.0.3' };

test('a forwarded packet: nodes in order, and what each decided', async () => {
  const made = await world();
  const watch = trace(made);
  const [a, b] = made.clients;
  a!.send(udpPacket(forward, data));
  made.settle();
  assert.deepEqual(b!.inbox, [udpPacket({ ...forward, ttl: 63 }, data)]);
  const [row, ...others] = watch.take();
  assert.deepEqual(others, []);
  assert.deepEqual(row!.packet, {
    source: '10.77.0.2',
    destination: '10.77.0.3',
    protocol: 'udp',
    sourcePort: 4000,
    destinationPort: 5000,
    ttl: 64,
    length: 31,
  });
  assert.deepEqual(
    [row!.link, row!.peer, row!.end, row!.drop, row!.outLink, row!.outPeer],
    ['wg0', a!.publicKey, 'sent', null, 'wg0', b!.publicKey],
  );
  const facts = row!.steps.map(({ node, facts: { endpoint: _endpoint, ...rest } }) => [node, rest]);
  assert.deepEqual(facts, [
    ['wireguard-input', { link: 'wg0', peer: a!.publicKey }],
    ['ip-input', {}],
    ['ip-lookup', { vrf: 'default', prefix: '10.77.0.0/24', to: 'link', link: 'wg0' }],
    ['ip-rewrite', { ttl: '64 -> 63' }],
    ['link-output', { link: 'wg0' }],
    // On several workers client 1's owner hands it to client 2's.
    ...(workersInTests > 1
      ? [
          ['wireguard-output', { toWorker: 2 }],
          ['link-output', { link: 'wg0' }],
        ]
      : []),
    ['wireguard-output', { link: 'wg0', peer: b!.publicKey }],
  ]);
});

test('an answer of ours: the way back is told too', async () => {
  const made = await world();
  const watch = trace(made);
  made.clients[0]!.send(echoPacket({ src: 'fd77::2', dst: 'fd77::1' }));
  made.settle();
  const [row] = watch.take();
  assert.deepEqual(nodesOf(row!), [
    'wireguard-input',
    'ip-input',
    'ip-lookup',
    'local',
    'ip-lookup',
    'ip-rewrite',
    'link-output',
    'wireguard-output',
  ]);
  assert.deepEqual(row!.steps[2]!.facts, { vrf: 'default', prefix: 'fd77::1/128', to: 'local' });
  assert.equal(row!.steps[3]!.facts.source, 'fd77::2 -> fd77::1');
  assert.equal(row!.steps[3]!.facts.icmpType, '128 -> 129');
  assert.equal(row!.packet!.icmpType, 128);
  assert.equal(row!.outPeer, row!.peer);
});

test('drops: the node and the reason', async () => {
  const made = await world();
  const watch = trace(made, { drops: true });
  const [a] = made.clients;
  a!.send(udpPacket(forward, data));
  a!.send(udpPacket({ ...forward, ttl: 1 }, data));
  a!.send(udpPacket({ src: '10.77.0.2', dst: '192.0.2.77' }, data));
  a!.send(udpPacket({ src: '10.77.0.2', dst: '10.77.0.99' }, data));
  a!.send(udpPacket({ src: '10.66.0.1', dst: '10.77.0.3' }, data));
  made.settle();
  const rows = watch.take();
  assert.deepEqual(
    rows.map((row) => {
      // An error that goes back to the sender has steps behind the one that dropped the packet.
      const fatal = row.steps.find((step) => step.facts.drop !== undefined)!;
      return [row.drop, fatal.node, fatal.facts.drop, row.end];
    }),
    [
      ['wireguard.sourceNotAllowed', 'wireguard-input', 'wireguard.sourceNotAllowed', 'dropped'],
      ['noRoute', 'ip-lookup', 'noRoute', 'dropped'],
      ['ttlExpired', 'ip-rewrite', 'ttlExpired', 'dropped'],
      ['noPeer', 'wireguard-output', 'noPeer', 'dropped'],
    ],
  );
  assert.equal(rows[0]!.packet!.source, '10.66.0.1', 'opened, so it can be read');
  assert.equal(rows[0]!.peer, null);
  // Nobody has the destination; what went out is the error, to the sender.
  assert.deepEqual([rows[3]!.outLink, rows[3]!.outPeer], ['wg0', rows[3]!.peer]);
});

test('frames of the host that make no sense are not the drop of the packet that comes with them', async () => {
  const made = await world();
  made.host.offloads = { tcp: true, udp: true };
  const device = await made.hostInterface();
  const watch = trace(made);
  // Behind a virtio-net header of zeroes.
  device.say(
    new Uint8Array(3),
    Uint8Array.of(...new Uint8Array(10), ...echoPacket({ src: '10.99.0.1', dst: '10.77.0.1' })),
  );
  made.settle();
  const rows = watch.take();
  assert.deepEqual(
    rows.map((row) => [row.link, row.drop, row.end]),
    [['host0', null, 'sent']],
  );
  assert.deepEqual(made.drops(), { offloadMalformed: 1 });
});

test('a datagram that cannot be opened is a row without a packet, unless a header was asked for', async () => {
  const made = await world();
  const [any, udp] = [trace(made), trace(made, { protocol: 'udp' })];
  const [a] = made.clients;
  const noise = new Uint8Array(64);
  noise[0] = 4;
  a!.datagram(a!.device.peer(Uint8Array.fromBase64(made.publicKey()))!.endpoint!, noise, 0, 64);
  a!.flush();
  made.settle();
  const [row] = any.take();
  assert.deepEqual([row!.packet, row!.drop, row!.end], [null, 'wireguard.unknownIndex', 'dropped']);
  assert.match(String(row!.steps[0]!.facts.endpoint), /^192\.0\.2\.101:\d+$/);
  assert.deepEqual(udp.take(), []);
});

test('a packet that waits for a handshake says so', async () => {
  const made = await world();
  const watch = trace(made, { destination: '10.77.0.3/32' });
  made.pass(200_000);
  made.network.lose = (_from, to) => to.text.startsWith('192.0.2.102');
  const [a] = made.clients;
  a!.send(udpPacket(forward, data));
  made.settle();
  const [row] = watch.take();
  assert.equal(row!.steps.at(-1)!.facts.state, 'not sealed: no session yet');
});

test('filters: headers, links and peers on either side', async () => {
  const made = await world();
  const [a, b] = made.clients;
  const rows: readonly [TraceFilter, number][] = [
    [{ source: '10.77.0.2/32' }, 2],
    [{ source: '10.77.0.0/25', destination: '10.77.0.3' }, 1],
    [{ source: 'fd77::/64' }, 1],
    [{ protocol: 'udp' }, 2],
    [{ protocol: 'icmp' }, 2],
    [{ protocol: 'tcp' }, 0],
    [{ port: 5000 }, 1],
    [{ port: 4001 }, 1],
    [{ peer: b!.publicKey }, 3],
    [{ peer: a!.publicKey, protocol: 'udp' }, 2],
    [{ link: 'wg0' }, 4],
    [{ count: 3 }, 3],
  ];
  const watches = rows.map(([filter]) => trace(made, filter));
  a!.send(udpPacket(forward, data));
  a!.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  b!.send(udpPacket({ src: '10.77.0.3', dst: '10.77.0.2' }, data, { src: 4001, dst: 53 }));
  b!.send(echoPacket({ src: 'fd77::3', dst: 'fd77::2' }));
  made.settle();
  for (const [i, [filter, count]] of rows.entries())
    assert.equal(watches[i]!.take().length, count, JSON.stringify(filter));
  assert.ok(watches.at(-1)!.done);
});

test('a filter that names nothing is refused with its field', async () => {
  const made = await world();
  const rows: readonly [TraceFilter, string, string][] = [
    [{ link: 'wg7' }, 'object.notFound', 'link'],
    [{ peer: 'alice' }, 'key.invalid', 'peer'],
    [{ source: '10.0.0.1/8' }, 'prefix.invalid', 'source'],
    [{ destination: 'x' }, 'prefix.invalid', 'destination'],
    [{ port: 0 }, 'input.invalid', 'port'],
    [{ port: 65_536 }, 'input.invalid', 'port'],
    [{ count: 1.5 }, 'input.invalid', 'count'],
    [{ seconds: 0 }, 'input.invalid', 'seconds'],
  ];
  for (const [filter, code, field] of rows) {
    const refused = made.engine.trace(filter, () => {});
    assert.ok(!refused.ok);
    assert.deepEqual([refused.error.code, refused.error.field], [code, field]);
  }
  const refused = made.engine.capture({}, 0, () => {});
  assert.ok(!refused.ok && refused.error.field === 'snapLen');
});

test('capture: packets as they come, as they go, and as they are dropped; as many as are counted', async () => {
  const made = await world();
  const before = made.engine.counters().links[0]!;
  const watch = capture(made);
  const short = capture(made, { drops: true }, 20);
  const [a] = made.clients;
  const [good, late] = [udpPacket(forward, data), udpPacket({ ...forward, ttl: 1 }, data)];
  const echo = echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' });
  a!.sendAll([good, late, echo]);
  made.settle();
  const after = made.engine.counters().links[0]!;
  const rows = watch.take();
  assert.equal(rows.filter((row) => row.direction === 'in').length, after.rxPackets - before.rxPackets);
  assert.equal(rows.filter((row) => row.direction === 'out').length, after.txPackets - before.txPackets);
  assert.equal(rows.filter((row) => row.direction === 'drop').length, after.drops - before.drops);
  const texts = rows.map((row) => `${row.direction} ${row.drop ?? ''} ${row.data.toHex()}`);
  for (const [direction, packet] of [
    ['in ', good],
    ['in ', late],
    ['in ', echo],
    ['out ', udpPacket({ ...forward, ttl: 63 }, data)],
    ['out ', made.clients[0]!.inbox[0]!],
    ['drop ttlExpired', late],
  ] as const)
    assert.ok(texts.includes(`${direction} ${packet.toHex()}`), `${direction} is among ${texts.join('\n')}`);
  const [cut, ...rest] = short.take();
  assert.deepEqual([cut!.length, cut!.data.length, cut!.drop, rest.length], [31, 20, 'ttlExpired', 0]);
});

test('a peer filter also has what is dropped early: before it is known whose it is, and before a way out is known', async () => {
  const made = await world();
  const [a, b] = made.clients;
  const traces = [a, b].map((client) => trace(made, { peer: client!.publicKey, drops: true }));
  const captures = [a, b].map((client) => capture(made, { peer: client!.publicKey, drops: true }));
  const nowhere = udpPacket({ src: '10.77.0.2', dst: '192.0.2.1' }, data);
  const spoofed = udpPacket({ src: '10.77.0.99', dst: '10.77.0.3' }, data);
  a!.sendAll([nowhere, spoofed]);
  const gateway = a!.device.peer(Uint8Array.fromBase64(made.publicKey()))!;
  a!.datagram(gateway.endpoint!, Uint8Array.of(4, 0, 0, 0, 9), 0, 5);
  a!.flush();
  made.settle();
  assert.deepEqual(
    traces.map((watch) => watch.take().map((row) => [row.drop, row.peer, row.packet?.source])),
    [
      [
        ['wireguard.sourceNotAllowed', a!.publicKey, '10.77.0.99'],
        // Noise has no index that names its worker, and only the peer's own knows where the peer is.
        ...(workersInTests === 1 ? [['wireguard.length', a!.publicKey, undefined]] : []),
        ['noRoute', a!.publicKey, '10.77.0.2'],
      ],
      [],
    ],
  );
  const rows = captures.map((watch) => watch.take().map((row) => `${row.drop} ${row.data.toHex()}`));
  assert.deepEqual(rows, [[`wireguard.sourceNotAllowed ${spoofed.toHex()}`, `noRoute ${nowhere.toHex()}`], []]);
});

test('packets keep their order and their number while some of them are watched', async () => {
  const made = await world();
  made.network.coalesce = true;
  const watch = trace(made, { port: 5007 });
  const [a, b] = made.clients;
  const packets = Array.from({ length: 60 }, (_, i) =>
    udpPacket(forward, Uint8Array.of(i), { src: 4000, dst: 5000 + (i % 10) }),
  );
  a!.sendAll(packets);
  made.settle();
  assert.deepEqual(
    b!.inbox.map((packet) => packet.at(-1)),
    packets.map((_, i) => i),
  );
  assert.equal(watch.take().length, 6);
});

test('who does not read loses rows, counted, and nothing else is lost', async () => {
  const made = await world();
  let calls = 0;
  const watch = made.engine.trace({}, () => calls++);
  assert.ok(watch.ok);
  const [a, b] = made.clients;
  for (let i = 0; i < 50; i++) {
    a!.sendAll(Array.from({ length: 100 }, () => udpPacket(forward, data)));
    made.settle();
  }
  assert.equal(b!.inbox.length, 5000);
  assert.equal(calls, 1);
  const taken = watch.value.take().length;
  assert.ok(taken > 1000 && watch.value.lost === 5000 - taken, `${taken} ${watch.value.lost}`);
});

test('when the last watch has ended nothing is watched', async () => {
  const made = await world();
  const [one, two] = [trace(made), capture(made)];
  made.engine.endWatch(one);
  made.clients[0]!.send(udpPacket(forward, data));
  made.settle();
  assert.equal(two.take().length, 2);
  assert.deepEqual(one.take(), []);
  made.engine.endWatch(two);
  made.clients[0]!.send(udpPacket(forward, data));
  made.settle();
  assert.deepEqual(two.take(), []);
});
