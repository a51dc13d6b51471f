import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatKey } from '@vrouter/core/bytes.ts';
import { millis } from '@vrouter/core/time.ts';
import { fingerprint, generatePrivateKey, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import type { Action, DumpRow, RowId } from '../control/messages.ts';
import { Engine } from '../engine.ts';
import { MemoryNetwork } from '../ports/memory.ts';
import { echoPacket } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';

const privateKey = generatePrivateKey();
const keys = Array.from({ length: 3 }, () => formatKey(systemCrypto().publicKey(generatePrivateKey())));
const link = (name: string, more: object = {}): Action => ({
  do: 'link.set',
  name,
  type: 'wireguard',
  vrf: 'default',
  mtu: 1420,
  adminUp: true,
  ...more,
});
const device = (name: string, more: object = {}): Action => ({
  do: 'wireguard.set',
  link: name,
  listenPort: 51820,
  privateKey: formatKey(privateKey),
  ...more,
});
const peer = (publicKey: string, more: object = {}): Action => ({
  do: 'peer.set',
  link: 'wg0',
  publicKey,
  allowedIps: ['10.0.0.0/24'],
  persistentKeepalive: 0,
  ...more,
});
const route = (prefix: string, more: object = {}): Action => ({
  do: 'route.set',
  vrf: 'default',
  prefix,
  link: 'wg0',
  nextHop: null,
  ...more,
});

/** Rows without what differs from run to run. */
const rows = (world: World): DumpRow[] => world.engine.dump();
const find = <K extends DumpRow['is']>(world: World, is: K): Extract<DumpRow, { is: K }>[] =>
  rows(world).filter((row): row is Extract<DumpRow, { is: K }> => row.is === is);

test('a new engine has the VRF default and nothing else', () => {
  assert.deepEqual(rows(new World()), [{ is: 'vrf', name: 'default', tableId: 0 }]);
});

test('what was set is dumped, secrets as fingerprints', async () => {
  const world = new World();
  const psk = new Uint8Array(32).fill(3);
  await world.do(
    { do: 'vrf.set', name: 'blue', tableId: 7 },
    link('wg0', { vrf: 'blue', mtu: 1400 }),
    device('wg0'),
    peer(keys[0]!, {
      presharedKey: formatKey(psk),
      allowedIps: ['fd00::/64', '10.1.0.0/16', '10.0.0.0/24'],
      endpoint: '[2001:db8:0::1]:5000',
      persistentKeepalive: 25,
    }),
    { do: 'address.add', link: 'wg0', address: '10.0.0.1/24' },
    route('10.0.0.0/24', { vrf: 'blue' }),
    route('0:0::/0', { vrf: 'blue', link: null }),
    route('10.9.0.0/16', { vrf: 'blue', nextHop: '10.0.0.9' }),
  );
  assert.deepEqual(rows(world), [
    { is: 'vrf', name: 'default', tableId: 0 },
    { is: 'vrf', name: 'blue', tableId: 7 },
    {
      is: 'link',
      name: 'wg0',
      type: 'wireguard',
      vrf: 'blue',
      mtu: 1400,
      adminUp: true,
      index: 0,
      operUp: true,
      mssClamp: true,
      sourceCheck: 'off',
    },
    {
      is: 'wireguard',
      link: 'wg0',
      listenPort: 51820,
      localPort: 51820,
      privateKeyFingerprint: fingerprint(privateKey),
      publicKey: formatKey(systemCrypto().publicKey(privateKey)),
    },
    { is: 'address', link: 'wg0', address: '10.0.0.1/24' },
    {
      is: 'peer',
      link: 'wg0',
      publicKey: keys[0],
      presharedKeyFingerprint: fingerprint(psk),
      allowedIps: ['10.0.0.0/24', '10.1.0.0/16', 'fd00::/64'],
      endpoint: '[2001:db8::1]:5000',
      persistentKeepalive: 25,
      lastHandshakeUnixMs: null,
      handshakeTimestamp: null,
      pathMtu: null,
      rxBytes: 0,
      // The first keepalive found no session and asked for one.
      txBytes: 148,
      rxPackets: 0,
      txPackets: 0,
    },
    { is: 'route', vrf: 'blue', prefix: '10.0.0.0/24', link: 'wg0', nextHop: null },
    { is: 'route', vrf: 'blue', prefix: '::/0', link: null, nextHop: null },
    { is: 'route', vrf: 'blue', prefix: '10.9.0.0/16', link: 'wg0', nextHop: '10.0.0.9' },
  ]);
});

test('dump of names gives those that exist, in their order', async () => {
  const world = new World();
  await world.gateway();
  await world.do(peer(keys[0]!));
  const named = world.engine.dump([
    { is: 'route', vrf: 'default', prefix: 'fd77::/64' },
    { is: 'route', vrf: 'default', prefix: 'fd78::/64' },
    { is: 'route', vrf: 'none', prefix: 'fd77::/64' },
    { is: 'route', vrf: 'default', prefix: 'nonsense' },
    { is: 'peer', link: 'wg0', publicKey: keys[0]! },
    { is: 'peer', link: 'wg0', publicKey: keys[1]! },
    { is: 'peer', link: 'wg9', publicKey: keys[0]! },
    { is: 'address', link: 'wg0', address: '10.77.0.1/24' },
    { is: 'address', link: 'wg0', address: '10.77.0.1/25' },
    { is: 'wireguard', link: 'wg0' },
    { is: 'vrf', name: 'default' },
    { is: 'link', name: 'wg0' },
  ]);
  assert.deepEqual(
    named.map((row) => row.is),
    ['route', 'peer', 'address', 'wireguard', 'vrf', 'link'],
  );
});

test('setting twice changes nothing, not even a session', async () => {
  const world = new World();
  await world.gateway();
  const client = await world.client(1);
  client.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  world.settle();
  const again: Action[] = [
    { do: 'vrf.set', name: 'default', tableId: 0 },
    link('wg0'),
    device('wg0', { privateKey: formatKey(world.gatewayKey) }),
    {
      do: 'peer.set',
      link: 'wg0',
      publicKey: client.publicKey,
      presharedKey: null,
      allowedIps: ['10.77.0.2/32', 'fd77::2/128'],
      endpoint: null,
      persistentKeepalive: 0,
    },
    { do: 'address.add', link: 'wg0', address: '10.77.0.1/24' },
    route('10.77.0.0/24'),
  ];
  const before = rows(world);
  await world.do(...again, ...again);
  assert.deepEqual(rows(world), before);
  client.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  world.settle();
  assert.equal(client.inbox.length, 2);
  assert.equal(
    find(world, 'peer')[0]!.lastHandshakeUnixMs,
    before.find((row) => row.is === 'peer')!.lastHandshakeUnixMs,
  );
});

test('an endpoint counts over what was learnt only when it is said to have moved; the session goes on', async () => {
  const world = new World();
  await world.gateway();
  const client = await world.client(1);
  client.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  world.settle();
  const [before] = find(world, 'peer');
  const { publicKey } = client;
  const allowedIps = [...before!.allowedIps];
  const elsewhere = peer(publicKey, { allowedIps, endpoint: '192.0.2.9:9' });
  await world.do(elsewhere);
  assert.equal(find(world, 'peer')[0]!.endpoint, before!.endpoint);
  await world.do({ ...elsewhere, moved: true } as Action);
  assert.deepEqual(find(world, 'peer'), [{ ...before!, endpoint: '192.0.2.9:9' }]);
  client.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  world.settle();
  // The next authentic packet is the word of the peer itself.
  const [after] = find(world, 'peer');
  assert.deepEqual([after!.endpoint, after!.lastHandshakeUnixMs], [before!.endpoint, before!.lastHandshakeUnixMs]);
  assert.equal(client.inbox.length, 2);
});

test('the newest timestamp of a peer is told, and taken back by a new life: what was recorded before is old', async () => {
  const life = async (gatewayKey: Uint8Array, handshakeTimestamp: string | null) => {
    const world = new World();
    world.gatewayKey.set(gatewayKey);
    await world.gateway();
    const client = await world.client(1);
    const { publicKey } = client;
    const set = (label: string | null): Action => peer(publicKey, { handshakeTimestamp: label });
    await world.do(set(handshakeTimestamp));
    const told = (): string | null => {
      const row = rows(world).find((one) => one.is === 'peer');
      assert.ok(row?.is === 'peer');
      return row.handshakeTimestamp;
    };
    return { world, client, set, told };
  };
  const { world, client, set, told } = await life(new Uint8Array(32).fill(9), null);
  assert.equal(told(), null);
  client.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  world.settle();
  const label = told();
  assert.match(label ?? '', /^40{7}[0-9a-f]{16}$/);
  // Never backwards, and what is no label changes nothing.
  await world.do(set('400000000000000000000001'));
  assert.equal(told(), label);
  for (const bad of ['', '40', 'g'.repeat(24), `${label}00`])
    assert.deepEqual(
      (await world.engine.apply([set(bad)])).map((one) => [one?.code, one?.field]),
      [['input.invalid', 'handshakeTimestamp']],
    );
  const next = await life(new Uint8Array(32).fill(9), '40000000ffffffff00000000');
  assert.equal(next.told(), '40000000ffffffff00000000');
  next.client.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  next.world.settle();
  assert.deepEqual(next.world.drops(), { 'wireguard.oldTimestamp': 1 });
  assert.equal(next.client.inbox.length, 0);
});

test('removing what is not there is done already', async () => {
  const world = new World();
  const nothing: Action[] = [
    { do: 'vrf.remove', name: 'blue' },
    { do: 'link.remove', name: 'wg0' },
    { do: 'wireguard.remove', link: 'wg0' },
    { do: 'peer.remove', link: 'wg0', publicKey: keys[0]! },
    { do: 'address.remove', link: 'wg0', address: '10.0.0.1/24' },
    { do: 'route.remove', vrf: 'default', prefix: '10.0.0.0/24' },
    { do: 'route.remove', vrf: 'blue', prefix: '10.0.0.0/24' },
  ];
  await world.do(...nothing, link('wg0'), ...nothing.slice(2));
});

test('what others stand on stays; in the right order all of it goes', async () => {
  const world = new World();
  await world.do(
    { do: 'vrf.set', name: 'blue', tableId: 7 },
    link('wg0', { vrf: 'blue' }),
    device('wg0'),
    peer(keys[0]!),
    { do: 'address.add', link: 'wg0', address: '10.0.0.1/24' },
    route('10.0.0.0/24', { vrf: 'blue' }),
    route('10.5.0.0/24'),
  );
  const down: Action[] = [
    { do: 'route.remove', vrf: 'default', prefix: '10.5.0.0/24' },
    { do: 'route.remove', vrf: 'blue', prefix: '10.0.0.0/24' },
    { do: 'address.remove', link: 'wg0', address: '10.0.0.1/24' },
    { do: 'peer.remove', link: 'wg0', publicKey: keys[0]! },
    { do: 'wireguard.remove', link: 'wg0' },
    { do: 'link.remove', name: 'wg0' },
    { do: 'vrf.remove', name: 'blue' },
  ];
  for (let left = down.length - 1; left > 0; left--) {
    const tooEarly = down[left]!;
    if (tooEarly.do !== 'peer.remove' && tooEarly.do !== 'address.remove' && tooEarly.do !== 'route.remove') {
      const before = rows(world);
      const [problem] = await world.engine.apply([tooEarly]);
      assert.equal(problem?.code, 'object.dependency', tooEarly.do);
      assert.deepEqual(rows(world), before);
    }
  }
  await world.do(...down);
  assert.deepEqual(rows(world), rows(new World()));
  assert.equal((await world.engine.apply([{ do: 'vrf.remove', name: 'default' }]))[0]?.code, 'object.dependency');
});

const refusals: readonly (readonly [Action, string, string])[] = [
  [{ do: 'vrf.set', name: 'no spaces', tableId: 1 }, 'name.invalid', 'name'],
  [{ do: 'vrf.set', name: 'blue', tableId: -1 }, 'input.invalid', 'tableId'],
  [{ do: 'vrf.set', name: 'blue', tableId: 1.5 }, 'input.invalid', 'tableId'],
  [link('a/b'), 'name.invalid', 'name'],
  [link('wg1', { mtu: 67 }), 'input.invalid', 'mtu'],
  [link('wg1', { mtu: 65_456 }), 'input.invalid', 'mtu'],
  [link('wg1', { vrf: 'none' }), 'object.dependency', 'vrf'],
  [link('wg0', { vrf: 'none', mtu: 1300 }), 'object.dependency', 'vrf'],
  [device('wg9'), 'object.dependency', 'link'],
  [device('bare', { listenPort: 65_536 }), 'input.invalid', 'listenPort'],
  [device('bare', { privateKey: 'short' }), 'key.invalid', 'privateKey'],
  [{ do: 'wireguard.set', link: 'bare', listenPort: 1 }, 'input.invalid', 'privateKey'],
  // Somebody else has this port: wg0.
  [device('bare'), 'port.inUse', 'listenPort'],
  [device('wg0', { listenPort: 51999, privateKey: formatKey(new Uint8Array(32).fill(5)) }), 'port.inUse', 'listenPort'],
  [peer(keys[0]!, { link: 'wg9' }), 'object.dependency', 'link'],
  [peer(keys[0]!, { link: 'bare' }), 'object.dependency', 'link'],
  [peer('short'), 'key.invalid', 'publicKey'],
  [peer(keys[0]!, { presharedKey: 'short' }), 'key.invalid', 'presharedKey'],
  [peer(keys[0]!, { allowedIps: ['10.0.0.0/8', '10.0.0.1/24'] }), 'prefix.invalid', 'allowedIps[1]'],
  [peer(keys[0]!, { endpoint: 'example.org:51820' }), 'address.invalid', 'endpoint'],
  [peer(keys[0]!, { persistentKeepalive: 65_536 }), 'input.invalid', 'persistentKeepalive'],
  [peer(formatKey(systemCrypto().publicKey(privateKey))), 'input.invalid', 'publicKey'],
  [{ do: 'peer.remove', link: 'wg0', publicKey: 'short' }, 'key.invalid', 'publicKey'],
  [{ do: 'address.add', link: 'wg9', address: '10.0.0.1/24' }, 'object.dependency', 'link'],
  [{ do: 'address.add', link: 'wg0', address: '10.0.0.256/24' }, 'prefix.invalid', 'address'],
  [{ do: 'address.add', link: 'wg0', address: '127.0.0.1/8' }, 'address.invalid', 'address'],
  [{ do: 'address.add', link: 'wg0', address: 'ff02::1/64' }, 'address.invalid', 'address'],
  [{ do: 'address.add', link: 'wg0', address: '::1/128' }, 'address.invalid', 'address'],
  [{ do: 'address.remove', link: 'wg0', address: 'x' }, 'prefix.invalid', 'address'],
  [route('10.0.0.0/24', { vrf: 'none' }), 'object.dependency', 'vrf'],
  [route('10.0.0.0/24', { link: 'wg9' }), 'object.dependency', 'link'],
  [route('10.0.0.1/24'), 'prefix.invalid', 'prefix'],
  [route('10.0.0.0/24', { nextHop: 'fd00::1' }), 'input.invalid', 'nextHop'],
  [route('10.0.0.0/24', { nextHop: 'x' }), 'address.invalid', 'nextHop'],
  [route('10.0.0.0/24', { link: null, nextHop: '10.0.0.1' }), 'input.invalid', 'nextHop'],
  [{ do: 'route.remove', vrf: 'default', prefix: 'x' }, 'prefix.invalid', 'prefix'],
];
for (const [action, code, field] of refusals) {
  test(`${action.do} refuses ${code} at ${field} and changes nothing: ${JSON.stringify(action)}`, async () => {
    const world = new World();
    await world.do(link('wg0'), device('wg0'), link('bare'));
    await world.network.host('192.0.2.1')({ port: 51999 });
    const before = rows(world);
    const [problem, next] = await world.engine.apply([action, { do: 'vrf.set', name: 'after', tableId: 9 }]);
    assert.deepEqual([problem?.code, problem?.field, next], [code, field, null]);
    assert.deepEqual(
      rows(world).filter((row) => row.is !== 'vrf' || row.name !== 'after'),
      before,
    );
  });
}

test('an allowed IP moves to the peer that got it last', async () => {
  const world = new World();
  await world.do(link('wg0'), device('wg0'), peer(keys[0]!, { allowedIps: ['10.0.0.0/24', '10.1.0.0/24'] }));
  await world.do(peer(keys[1]!, { allowedIps: ['10.1.0.0/24'] }));
  assert.deepEqual(
    find(world, 'peer').map((row) => row.allowedIps),
    [['10.0.0.0/24'], ['10.1.0.0/24']],
  );
});

test('a pre-shared key is kept when left out, and goes when null', async () => {
  const world = new World();
  const psk = new Uint8Array(32).fill(3);
  const shown = (): (string | null)[] => find(world, 'peer').map((row) => row.presharedKeyFingerprint);
  await world.do(link('wg0'), device('wg0'), peer(keys[0]!, { presharedKey: formatKey(psk) }));
  await world.do(peer(keys[0]!));
  assert.deepEqual(shown(), [fingerprint(psk)]);
  await world.do(peer(keys[0]!, { presharedKey: null }));
  assert.deepEqual(shown(), [null]);
});

test('an own address wins over a route to the same host, which shows again afterwards', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  const b = await world.client(2);
  const ask = (): void => {
    a.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.3' }));
    world.settle();
  };
  b.send(echoPacket({ src: '10.77.0.3', dst: '10.77.0.1' }));
  world.settle();
  await world.do(route('10.77.0.3/32'), { do: 'address.add', link: 'wg0', address: '10.77.0.3/32' });
  ask();
  assert.deepEqual([a.inbox.length, b.inbox.length], [1, 1]);
  await world.do({ do: 'address.remove', link: 'wg0', address: '10.77.0.3/32' });
  ask();
  assert.deepEqual([a.inbox.length, b.inbox.length], [1, 2]);
});

test('an address may stand on two links while it moves, and a link may change its VRF', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  const answered = (): boolean => {
    a.inbox.length = 0;
    a.send(echoPacket({ src: '10.77.0.2', dst: '10.99.0.1' }));
    world.settle();
    // An error comes from our other address.
    return a.inbox.some((packet) => packet[12] === 10 && packet[13] === 99);
  };
  const address = '10.99.0.1/24';
  await world.do(link('wg1'), { do: 'vrf.set', name: 'blue', tableId: 1 });
  assert.equal(answered(), false);
  await world.do({ do: 'address.add', link: 'wg0', address }, { do: 'address.add', link: 'wg1', address });
  await world.do({ do: 'address.remove', link: 'wg0', address });
  assert.equal(answered(), true, 'wg1 still has it');
  await world.do(link('wg1', { vrf: 'blue' }));
  assert.equal(answered(), false, 'it is in another VRF now');
  await world.do(link('wg1'));
  assert.equal(answered(), true);
  await world.do({ do: 'address.remove', link: 'wg1', address });
  assert.equal(answered(), false);
});

test('a link that comes back starts its counters at zero, under the index that is free', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  a.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  world.settle();
  const actions: Action[] = [];
  for (const row of rows(world)) {
    if (row.is === 'route') actions.unshift({ do: 'route.remove', vrf: row.vrf, prefix: row.prefix });
    if (row.is === 'address') actions.unshift({ do: 'address.remove', link: row.link, address: row.address });
    if (row.is === 'peer') actions.unshift({ do: 'peer.remove', link: row.link, publicKey: row.publicKey });
  }
  await world.do(...actions, { do: 'wireguard.remove', link: 'wg0' }, { do: 'link.remove', name: 'wg0' });
  assert.deepEqual(world.engine.counters().links, []);
  await world.gateway();
  assert.deepEqual(world.engine.counters().links, [
    { name: 'wg0', rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0, drops: 0 },
  ]);
  assert.deepEqual(
    find(world, 'link').map((row) => row.index),
    [0],
  );
});

test('requests from several sides are done one after the other', async () => {
  const world = new World();
  await world.do(link('wg0'), device('wg0'));
  // Each opens a socket, which takes time; the last word must hold.
  const all = [1, 2, 3, 4].map((n) => world.engine.apply([device('wg0', { listenPort: 52_000 + n })]));
  assert.deepEqual(await Promise.all(all), [[null], [null], [null], [null]]);
  assert.equal(find(world, 'wireguard')[0]!.localPort, 52_004);
  // The ports in between are free again.
  for (const n of [1, 2, 3]) await world.network.host('192.0.2.1')({ port: 52_000 + n });
});

test('an engine that stops takes no more actions', async () => {
  const world = new World();
  await world.gateway();
  const closing = world.engine.close();
  assert.equal((await world.engine.apply([link('wg7')]))[0]?.code, 'engine.unreachable');
  await closing;
});

async function look(engine: Engine, only?: readonly RowId[]): Promise<DumpRow[]> {
  const rows: DumpRow[] = [];
  await engine.look(only, (page) => void rows.push(...page));
  return rows;
}

test('a look gives packets turns, and what is asked meanwhile is done behind it', async () => {
  let pauses = 0;
  let between: () => void = () => {};
  const engine = new Engine(
    {
      clock: { now: () => millis(0), unixMs: () => 0 },
      crypto: systemCrypto(),
      rng: systemRng(),
      fingerprint,
      openUdp: new MemoryNetwork().host('192.0.2.1'),
      setAlarm: () => {},
      pause: async () => {
        pauses++;
        between();
      },
    },
    'test',
  );
  const routes = Array.from(
    { length: 500 },
    (_, n): Action => ({
      do: 'route.set',
      vrf: 'default',
      prefix: `10.${n >> 8}.${n & 255}.0/24`,
      link: null,
      nextHop: null,
    }),
  );
  await engine.apply(routes);
  pauses = 0;
  let removed: Promise<unknown> | null = null;
  between = () => {
    removed ??= engine.apply([{ do: 'route.remove', vrf: 'default', prefix: '10.1.243.0/24' }]);
  };
  const rows = await look(engine);
  assert.equal(pauses, 7, 'once in 64 rows');
  assert.equal(rows.length, 501, 'the VRF and every route: the removal waits');
  await removed;
  assert.equal((await look(engine)).length, 500);
  assert.deepEqual(await look(engine, [{ is: 'vrf', name: 'default' }]), [rows[0]]);
  assert.deepEqual(engine.dump(), await look(engine), 'the same in one turn');
});
