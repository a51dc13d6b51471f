/** Whatever dies, the packets go on, or come back by themselves. Every program is the real one; only the peers' IP stack is ours. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { exchange } from '../../programs/demo/traffic/exchange.ts';
import type { Network } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from './network.ts';

const options = { wireguardGo: false };

function kill(network: Network, name: 'controller' | 'gateway'): Promise<number | null> {
  const child = network.child(name);
  child.process.kill('SIGKILL');
  return child.ended;
}

/** About `seconds` of traffic both ways over both families. */
function traffic(network: Network, run: number, seconds: number) {
  const [alice, bob] = network.peers;
  return exchange(alice!, bob!, { run, count: 250 * seconds, size: 400, pps: 500, patienceMs: 2000 });
}

/** The daemon looks every few seconds where its peers are, and whenever somebody asks. */
async function heard(network: Network): Promise<void> {
  for (const peer of await network.gateway.peers()) assert.notEqual(peer.endpoint, null);
}

test('a killed and restarted daemon adopts the running engine: no packet is lost, no handshake repeated', async () => {
  await withNetwork(options, async (network) => {
    await traffic(network, 1, 1);
    const before = await network.gateway.status();
    const handshakes = (await network.gateway.peers()).map((peer) => peer.lastHandshakeUnixMs);
    const flowing = traffic(network, 2, 4);
    await delay(300);
    await kill(network, 'gateway');
    await delay(500);
    await network.startGateway();
    const after = await network.gateway.status();
    const result = await flowing;
    assert.deepEqual(
      { delivered: result.delivered, damaged: result.damaged, duplicates: result.duplicates },
      { delivered: result.sent, damaged: 0, duplicates: 0 },
    );
    assert.deepEqual(after.engine, before.engine);
    assert.notEqual(after.pid, before.pid);
    assert.deepEqual(
      (await network.gateway.peers()).map((peer) => peer.lastHandshakeUnixMs),
      handshakes,
    );
  });
});

test('a killed controller is not missed by the packets; a change made after its return arrives', async () => {
  await withNetwork(options, async (network) => {
    const flowing = traffic(network, 1, 1);
    await kill(network, 'controller');
    const result = await flowing;
    assert.equal(result.delivered, result.sent);
    await network.startController();
    await network.removePeer('bob');
    const without = await traffic(network, 2, 1);
    assert.equal(without.delivered, 0);
  });
});

test('with the controller away, a gateway that starts anew has its last good configuration', async () => {
  await withNetwork(options, async (network) => {
    await traffic(network, 1, 1);
    await heard(network);
    await kill(network, 'controller');
    await network.gateway.stopEngine();
    await kill(network, 'gateway');
    await network.startGateway({ controllerIsAway: true });
    const result = await waitFor('packets to pass again', 20_000, async () => {
      const tried = await traffic(network, Math.floor(performance.now()), 1);
      return tried.delivered === tried.sent ? tried : null;
    });
    assert.ok(result.delivered > 0);
    // The first poll after a start is up to five seconds late, so that not all gateways ask at once.
    const controller = await waitFor('the controller to be asked', 15_000, async () => {
      const { controller: now } = await network.gateway.status();
      return now.state === 'unreachable' ? now : null;
    });
    assert.match(controller.lastError ?? '', /controller\.unreachable/);
  });
});

test('a killed engine is replaced within a second, greets its peers, and packets pass again', async () => {
  await withNetwork(options, async (network) => {
    await traffic(network, 1, 1);
    await heard(network);
    const before = await network.gateway.status();
    const killedAt = performance.now();
    process.kill(before.engine!.pid, 'SIGKILL');
    const epoch = await waitFor('another engine', 5000, async () => {
      const { engine } = await network.gateway.status();
      return engine !== null && engine.epoch !== before.engine!.epoch ? engine.epoch : null;
    });
    assert.notEqual(epoch, before.engine!.epoch);
    const [alice] = network.peers;
    const rtt = await waitFor('an echo', 5000, async () => {
      const { vrouters } = await network.controller.vrouters();
      return (await alice!.ping(vrouters[0]!.addresses[0]!.replace(/\/.*/, ''), 1))[0] ?? null;
    });
    const gapMs = performance.now() - killedAt;
    assert.ok(rtt < 1000);
    assert.ok(gapMs < 3000, `the gap was ${Math.round(gapMs)} ms`);
    const result = await traffic(network, 2, 1);
    assert.equal(result.delivered, result.sent);
  });
});

test('a renewed certificate takes over without a poll being refused, and is what a restart finds', async () => {
  await withNetwork(options, async (network) => {
    const before = (await network.gateway.status()).controller.certificateExpiresUnixMs!;
    await delay(1100);
    await network.gateway.renewCertificate();
    const renewed = async (): Promise<number | null> => {
      const { controller } = await network.gateway.status();
      return controller.certificateExpiresUnixMs! > before ? controller.certificateExpiresUnixMs : null;
    };
    // Certificates count whole seconds.
    const after = await waitFor('another certificate', 15_000, renewed);
    await network.removePeer('bob');
    assert.equal((await network.gateway.status()).controller.state, 'connected');
    await kill(network, 'gateway');
    await network.startGateway();
    const found = await waitFor('a poll to be answered', 10_000, async () => {
      const { controller } = await network.gateway.status();
      return controller.state === 'connected' ? controller.certificateExpiresUnixMs : null;
    });
    assert.equal(found, after);
  });
});
