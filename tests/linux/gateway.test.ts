/** The gateway's job on the kernel's plane: enrol, poll, reconcile, WireGuard; and what becomes of it when somebody dies or meddles. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { InterfaceRow, PlanReply, RouteRow } from '@vrouter/api/gateway/gateway.ts';
import type { PeerReply } from '@vrouter/api/rest/peers.ts';
import type { RotationReply } from '@vrouter/api/rest/rotations.ts';
import type { VrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { ok } from '../thread/gateways.ts';
import { needsGuest } from '../world/guest.ts';
import { beats, GatewayWorld, ping, VROUTER } from './gateway.ts';

const GATEWAY4 = '10.77.0.1';
const GATEWAY6 = 'fd77::1';
/** Between two pings of those that must not be lost, s. */
const BEAT = 0.02;
/** Peers that come all at once. */
const CROWD = 300;

test('a gateway on the kernel', { skip: needsGuest(), timeout: 600_000 }, async (t) => {
  let began = performance.now();
  const took = (what: string): void => {
    t.diagnostic(`${Math.round(performance.now() - began)} ms: ${what}`);
    began = performance.now();
  };
  await using world = await GatewayWorld.start();
  const { machine } = world;
  took('a machine and a controller');

  await world.join();
  took('vrouterd starts and joins');
  const four = await world.peer('four', 1, 4);
  const six = await world.peer('six', 2, 6);
  const secret = await world.peer('secret', 3, 4, true);
  await world.applied();
  took('three peers');

  await t.test('packets pass between peers and gateway, both ways, and from peer to peer', async () => {
    const said = await Promise.all([
      ...[four, six, secret].flatMap((peer) => [peer.ping(GATEWAY4), peer.ping(GATEWAY6)]),
      four.ping(six.address4),
      six.ping(secret.address6),
      secret.ping(four.address4),
    ]);
    assert.deepEqual(said, Array(said.length).fill(3));
    const from = await Promise.all([four.address4, six.address6, secret.address4].map((to) => ping(machine, null, to)));
    assert.deepEqual(from, Array(3).fill(3));
  });

  await t.test('vrouterctl shows it, and so does the controller', async () => {
    const { interfaces } = await world.json<{ interfaces: InterfaceRow[] }>('show', 'interfaces');
    const [wg0] = interfaces;
    assert.deepEqual(
      [interfaces.length, wg0?.name, wg0?.type, wg0?.state, wg0?.listenPort],
      [1, 'wg0', 'wireguard', 'up', 51820],
    );
    assert.ok(wg0!.rxPackets > 20 && wg0!.txBytes > 1000 && wg0!.publicKey !== null);
    const peers = await world.api.peers();
    assert.deepEqual(peers.map(({ name }) => name).sort(), ['four', 'secret', 'six']);
    for (const peer of [four, six, secret]) {
      const row = peers.find(({ name }) => name === peer.name)!;
      assert.equal(row.endpoint?.slice(0, row.endpoint.lastIndexOf(':')), peer.endpoint);
      assert.ok(row.rxBytes > 500 && row.txBytes > 500 && Date.now() - row.lastHandshakeUnixMs! < 120_000);
    }
    const { routes } = await world.json<{ routes: RouteRow[] }>('show', 'routes');
    assert.equal(routes.length, 8);
    assert.deepEqual((await world.json<PlanReply>('show', 'plan')).steps, []);
    for (const what of [
      'interfaces',
      'peers',
      'routes',
      'nat',
      'neighbours',
      'stats',
      'plan',
      'controller',
      'status',
    ]) {
      assert.notEqual((await world.done('show', what)).trim(), '', what);
      assert.equal(typeof (await world.json('show', what)), 'object', what);
    }
    assert.match(await world.done('show', 'status'), /^plane: +linux\nengine: +-$/m);
    for (const command of [['trace'], ['capture'], ['engine', 'stop'], ['engine', 'start']]) {
      const { status, err } = await world.ctl(...command, '--json');
      const { error } = JSON.parse(err) as { error: { code: string; message: string } };
      assert.deepEqual([status, error.code], [1, 'intent.unsupported'], command.join(' '));
      assert.match(error.message, /no engine.*tcpdump/);
    }
    const live = await waitFor('the controller to be told', 20_000, async () => {
      const { peer } = await ok<PeerReply>(world.controller.call('GET', `/v1/vrouters/${VROUTER}/peers/six`));
      return (peer.live?.lastHandshakeUnixMs ?? null) === null ? null : peer.live;
    });
    assert.ok(live!.rxBytes > 0 && live!.txBytes > 0 && live!.endpoint!.startsWith(six.endpoint));
    const status = await ok<VrouterStatus>(world.controller.call('GET', `/v1/vrouters/${VROUTER}/status`));
    assert.deepEqual([status.plane, status.connected], ['linux', true]);
  });

  await t.test('VRFs and routes come and go', async () => {
    await world.done('vrf', 'add', VROUTER, 'blue');
    await world.done('route', 'add', VROUTER, '198.51.100.0/24', '--blackhole', '--vrf', 'blue');
    await world.done('route', 'add', VROUTER, '2001:db8::/32', '--interface', 'wg0');
    await world.applied();
    assert.match(await machine.do('ip', 'route', 'show', 'vrf', 'blue'), /^blackhole 198\.51\.100\.0\/24/m);
    assert.match(await machine.do('ip', '-6', 'route'), /^2001:db8::\/32 dev wg0 /m);
    await world.done('route', 'remove', VROUTER, '2001:db8::/32');
    await world.done('route', 'remove', VROUTER, '198.51.100.0/24', '--vrf', 'blue');
    await world.done('vrf', 'remove', VROUTER, 'blue');
    await world.applied();
    assert.doesNotMatch(await machine.script('ip link', 'ip -6 route', 'ip rule'), /blue|2001:db8/);
  });
  took('shown, VRFs, routes');

  await t.test('a peer changes its key, with both good until it has', async () => {
    const next = await newKeyPair();
    const going = beats(machine, 'four', GATEWAY4, BEAT);
    const begun = await world.json<RotationReply>(
      ...['peer', 'rotate', VROUTER, 'four', '--only', 'key', '--public-key', next.publicKey],
    );
    await world.applied();
    await delay(500);
    await machine.script(
      `printf %s '${next.privateKey}' > /run/key`,
      'ip netns exec four wg set wg0 private-key /run/key',
    );
    await waitFor('the rotation to be done', 20_000, async () => {
      const { rotation } = await world.json<RotationReply>('rotation', 'show', VROUTER, begun.rotation.id);
      return rotation.peers[0]!.state === 'switched' ? true : null;
    });
    await world.applied();
    const { lost } = await going.end();
    t.diagnostic(`${lost} pings lost by a new key, one each ${BEAT * 1000} ms`);
    assert.ok(lost * BEAT < 5, `${lost} lost`);
    const rows = (await world.api.peers()).filter(({ name }) => name === 'four');
    assert.deepEqual(
      rows.map(({ publicKey }) => publicKey),
      [next.publicKey],
    );
  });

  await t.test('a peer that the controller removes is cut at once', async () => {
    const going = beats(machine, 'secret', GATEWAY4, BEAT);
    await delay(1000);
    const from = performance.now();
    await world.done('peer', 'remove', VROUTER, 'secret');
    await machine.do('sh', '-c', `while wg show wg0 peers | grep -q '${secret.publicKey}'; do sleep 0.02; done`);
    t.diagnostic(`${Math.round(performance.now() - from)} ms until a removed peer was cut`);
    assert.ok(performance.now() - from < 5000);
    assert.ok((await going.end()).received > 10);
    assert.equal(await secret.ping(GATEWAY4, 2, 0.2, 1), 0);
  });
  took('key rotation, removal');

  const handshakes = async (): Promise<string> => (await machine.do('wg', 'show', 'wg0', 'latest-handshakes')).trim();

  await t.test('kill -9 under pings: none is lost, and the next daemon finds nothing to do', async () => {
    await six.ping(GATEWAY6);
    const before = await handshakes();
    const going = beats(machine, 'six', four.address6, BEAT);
    await world.daemon!.end('SIGKILL');
    world.startDaemon();
    await world.answers();
    await waitFor('a poll', 20_000, async () =>
      (await world.api.status()).controller.state === 'connected' ? 1 : null,
    );
    const [stats, plan] = [await world.api.stats(), await world.json<PlanReply>('show', 'plan')];
    assert.deepEqual([stats.reconciles, stats.failing, plan.steps], [0, [], []]);
    const { lost, sent } = await going.end();
    assert.deepEqual([lost, sent > 50], [0, true]);
    // Sessions that are due make new keys all the same.
    const after = await handshakes();
    t.diagnostic(before === after ? 'no handshake' : `handshakes went from\n${before} to\n${after}`);
  });
  took('kill -9 and adoption');

  await t.test('what somebody takes away by hand is back', async () => {
    const back = async (what: string, away: string, there: string): Promise<void> => {
      const from = performance.now();
      await machine.script(away, `! { ${there} ; }`, `until ${there}; do sleep 0.02; done`);
      const ms = Math.round(performance.now() - from);
      t.diagnostic(`${ms} ms until ${what} is back`);
      // The next full look would be up to a minute later.
      assert.ok(ms < 15_000, `${what}: ${ms} ms`);
    };
    await back('an address', `ip addr del ${GATEWAY4}/16 dev wg0`, `ip addr show wg0 | grep -q ' ${GATEWAY4}/16 '`);
    await back('a route', `ip route del ${four.address4}/32`, `ip route | grep -q '^${four.address4} '`);
    await back('a link that is down', 'ip link set wg0 down', 'ip link show wg0 | grep -q ,UP');
    const key = (await world.api.peers()).find(({ name }) => name === 'six')!.publicKey;
    await back('a peer', `wg set wg0 peer ${key} remove`, `wg show wg0 peers | grep -q '${key}'`);
    await back(
      'all',
      'ip link del wg0',
      `wg show wg0 peers 2> /dev/null | grep -q '${key}' && ip -6 route | grep -q ${six.address6}`,
    );
    assert.equal(await six.ping(GATEWAY4, 1, 0.2, 15), 1);
    assert.equal(await six.ping(four.address4, 1, 0.2, 15), 1);
    await waitFor('an empty plan', 10_000, async () =>
      (await world.json<PlanReply>('show', 'plan')).steps.length === 0 ? true : null,
    );
  });
  took('what was taken away');

  await t.test('kill -9 while a crowd comes: the next daemon ends where this one would have', async () => {
    const keys: string[] = [];
    const told = world.log.length;
    const coming = Array.from({ length: CROWD }, async (_, n) => {
      const { publicKey } = await newKeyPair();
      keys.push(publicKey);
      const body = { name: `p${n}`, publicKey, allowedIps: [`10.${80 + (n >> 8)}.${n & 255}.0/24`] };
      await ok(world.controller.call('POST', `/v1/vrouters/${VROUTER}/peers`, body));
    });
    // It has stored some hundred changes, and is about to make them true.
    await waitFor('a change to be stored', 20_000, async () =>
      /"put":\d{2,},.*"msg":"stored"/.test(world.log.slice(told)) ? true : null,
    );
    await world.daemon!.end('SIGKILL');
    const there = (await machine.do('wg', 'show', 'wg0', 'peers')).trim().split('\n').length;
    t.diagnostic(`killed when ${there} peers were there`);
    await Promise.all(coming);
    world.startDaemon();
    await world.applied();
    const peers = (await machine.do('wg', 'show', 'wg0', 'peers')).trim().split('\n');
    assert.equal(peers.length, 2 + CROWD);
    assert.ok(keys.every((key) => peers.includes(key)));
    const routes = (await machine.do('ip', 'route', 'show', 'proto', '118')).trim().split('\n');
    assert.equal(routes.length, 1 + 2 + 2 * CROWD);
    assert.deepEqual((await world.json<PlanReply>('show', 'plan')).steps, []);
    assert.equal(await six.ping(four.address4, 1, 0.2, 15), 1);
  });
  took('kill -9 while a crowd comes');

  await t.test('packets go on when the daemon is stopped', async () => {
    const going = beats(machine, 'four', six.address4, BEAT);
    const { status } = await world.daemon!.end('SIGTERM');
    assert.equal(status, 0, world.log);
    await delay(500);
    assert.equal((await going.end()).lost, 0);
  });
  took('stopped');
});
