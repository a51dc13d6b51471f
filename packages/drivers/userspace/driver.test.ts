/** The whole contract against a real engine in this process, with real UDP sockets; only the unix socket is left out. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { formatKey } from '@vrouter/core/bytes.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { millis } from '@vrouter/core/time.ts';
import { type ByteStream, EngineClient } from '@vrouter/engine/control/client.ts';
import { encodeFrame, FrameDecoder } from '@vrouter/engine/control/frame.ts';
import { said } from '@vrouter/engine/control/said.testing.ts';
import { ControlSession, hello } from '@vrouter/engine/control/session.ts';
import { Engine, type EngineSurroundings } from '@vrouter/engine/engine.ts';
import { MemoryEthernets } from '@vrouter/engine/ports/ethernet/memory.ts';
import { MemoryNetwork } from '@vrouter/engine/ports/memory.ts';
import { MemoryHost } from '@vrouter/engine/ports/tun/memory.ts';
import { type EngineInTests, MemoryCrew } from '@vrouter/engine/testing/crew.testing.ts';
import { fingerprint, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { driverContract } from '../contract/suite.ts';
import { UserspaceDriver } from './driver.ts';

function surroundings(): EngineSurroundings {
  return {
    clock: { now: () => millis(performance.now()), unixMs: () => Date.now() },
    crypto: systemCrypto(),
    rng: systemRng(),
    fingerprint,
    openUdp,
    openTun: new MemoryHost().open,
    openEthernet: new MemoryEthernets().open,
    setAlarm: () => {},
    pause: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

function startEngine(workers: number = 1): EngineInTests {
  if (workers === 1) return new Engine(surroundings(), randomBytes(8).toString('hex'));
  const network = new MemoryNetwork();
  return new MemoryCrew({ workers, network, address: '192.0.2.1', surroundings: surroundings() });
}

/** A client of an engine in this process; frames go through the codecs as they would over a socket. */
function clientOf(
  engine: EngineInTests,
  stats: readonly string[] = [],
): { readonly client: EngineClient; hangUp(): void } {
  const session = new ControlSession(engine);
  const decoder = new FrameDecoder();
  let onData: (chunk: Uint8Array) => void = () => {};
  let onClose: () => void = () => {};
  let serving: Promise<void> = Promise.resolve();
  const stream: ByteStream = {
    write(bytes) {
      decoder.push(bytes.slice());
      serving = serving.then(async () => {
        for (let message = decoder.next(); message !== null; message = decoder.next()) {
          assert.ok(message.ok);
          for (const reply of said((await session.handle(message.value)).replies)) onData(encodeFrame(reply));
        }
      });
    },
    onData: (callback) => {
      onData = callback;
    },
    onClose: (callback) => {
      onClose = callback;
    },
    close: () => onClose(),
  };
  const client = new EngineClient(stream);
  onData(encodeFrame(hello('test', process.pid, engine.epoch, { stats })));
  return { client, hangUp: () => onClose() };
}

for (const workers of [1, 3])
  driverContract(workers === 1 ? 'userspace' : `userspace, ${workers} workers`, async () => {
    const engine = startEngine(workers);
    const driver = new UserspaceDriver(async () => clientOf(engine).client);
    return {
      driver,
      async dispose() {
        await driver.close();
        await engine.close();
      },
    };
  });

test('a lost engine is told by watch, and the next call asks for a new one', async () => {
  const engines = [startEngine(), startEngine()];
  const connections = engines.map((engine) => clientOf(engine));
  let connected = 0;
  const driver = new UserspaceDriver(async () => connections[connected++]!.client);
  const stop = new AbortController();
  const epochs = [(await driver.counters(stop.signal)).epoch];
  const changes = driver.watch(stop.signal)[Symbol.asyncIterator]();
  const change = changes.next();
  connections[0]!.hangUp();
  assert.equal((await change).value?.kind, 'all');
  epochs.push((await driver.counters(stop.signal)).epoch);
  assert.deepEqual(epochs, [engines[0]!.epoch, engines[1]!.epoch]);
  stop.abort();
  assert.equal((await changes.next()).done, true);
  await driver.close();
  for (const engine of engines) await engine.close();
});

test('while no engine answers, calls reject with its problem', async () => {
  const away = new ProblemError({ code: 'engine.unreachable', message: 'nobody there' });
  const driver = new UserspaceDriver(() => Promise.reject(away));
  await assert.rejects(driver.observe('all', AbortSignal.timeout(1000)), away);
  await assert.rejects(driver.apply([], AbortSignal.timeout(1000)), away);
});

test('what is counted is read where it lies; files of nobody, or of another engine, are not believed', async () => {
  const engine = new Engine(surroundings(), 'one');
  const other = new Engine(surroundings(), 'two');
  const signal = AbortSignal.timeout(10_000);
  const closed: string[] = [];
  const reads: string[] = [];
  const open = (path: string) => {
    if (path === 'nowhere') return null;
    const from = path === 'other' ? other : engine;
    const read = (at: number, length: number): Uint8Array => {
      reads.push(path);
      return from.readStats(at, length);
    };
    return { read, close: () => void closed.push(path) };
  };
  const key = formatKey(systemCrypto().publicKey(new Uint8Array(32).fill(9)));
  await engine.apply([
    { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: false },
    { do: 'wireguard.set', link: 'wg0', listenPort: 0, privateKey: formatKey(new Uint8Array(32).fill(8)) },
    { do: 'peer.set', link: 'wg0', publicKey: key, allowedIps: [], persistentKeepalive: 0, endpoint: '192.0.2.9:9' },
  ]);
  for (const [paths, isRead] of [
    [['own'], true],
    [[], false],
    [['other'], false],
    [['own', 'nowhere'], false],
  ] as const) {
    reads.length = 0;
    const { client, hangUp } = clientOf(engine, paths);
    const driver = new UserspaceDriver(async () => client, open);
    const counters = await driver.counters(signal);
    assert.deepEqual([counters.epoch, counters.links.map(({ name }) => name)], ['one', ['wg0']]);
    const before = reads.length;
    const [peer, ...more] = await driver.peerFacts(signal);
    assert.deepEqual([peer?.link, peer?.publicKey, peer?.endpoint, more], ['wg0', key, '192.0.2.9:9', []]);
    assert.equal(reads.length > before, isRead, String(paths));
    hangUp();
    await client.closed;
    await driver.close();
  }
  assert.deepEqual(closed.sort(), ['other', 'own', 'own']);
  await engine.close();
  await other.close();
});
