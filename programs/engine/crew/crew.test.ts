/** The crew's own words: sockets for all, and what happens when a worker fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatKey } from '@vrouter/core/bytes.ts';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import { ip } from '@vrouter/engine/testing/packets.testing.ts';
import { steeringProgram } from '@vrouter/engine/workers/share.ts';
import { generatePrivateKey } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { canSteer, closeBound } from '@vrouter/host/udp/steered.ts';
import { pattern, rowsOf } from '@vrouter/host/udp/testing.ts';
import { makeStats } from '../stats.ts';
import { defaultWorkers, parseWorkers } from './count.ts';
import { Crew } from './crew.ts';
import { SocketGroups } from './sockets.ts';

const skip = canSteer(steeringProgram) ? false : 'this system has no SO_ATTACH_REUSEPORT_CBPF';

test('how many workers', () => {
  const rows: readonly [number, number][] = [
    [1, 1],
    [2, 1],
    [4, 3],
    [5, 4],
    [64, 4],
  ];
  for (const [cores, workers] of rows) assert.equal(defaultWorkers(cores), workers, `${cores} cores`);
  assert.deepEqual(['1', '8', '0', '9', '-1', '1.5', 'x', ''].map(parseWorkers), [1, 8, ...new Array(6).fill(null)]);
});

test('who asks first has the group opened; the others get theirs, or the same problem', { skip }, async (t) => {
  const groups = new SocketGroups(3);
  const first = [2, 0, 1].map((worker) => groups.take(worker, 0, { address: '::', port: 0 }));
  assert.ok(first.every((one) => 'fd' in one));
  t.after(() => {
    for (const one of first) closeBound(one);
  });
  assert.equal(new Set(first.map((one) => one.fd)).size, 3);
  const { localPort } = first[0]!;
  for (const worker of [0, 1, 2]) {
    const refused = groups.take(worker, 1, { address: '::', port: localPort });
    assert.ok('code' in refused && refused.code === 'port.inUse');
  }
  // What nobody took is closed, and the port is free.
  const other = groups.take(1, 2, { address: '::', port: 0 });
  assert.ok('fd' in other);
  groups.close();
  closeBound(other);
  const again = await openUdp({ address: '::', port: other.localPort });
  await again.close();
});

for (const [how, body] of [
  ['throws', `throw new Error('on purpose')`],
  ['rejects', `void Promise.reject(new Error('on purpose'))`],
  ['ends', `process.exit(3)`],
] as const)
  test(`a worker that ${how} under traffic is told once, and the others can be taken down`, { skip }, async (t) => {
    const real = new URL('thread.ts', import.meta.url);
    // The real worker, with a fault to come in number 1, some time after it has been looked at.
    const fault = `import { parentPort, workerData } from 'node:worker_threads'; await import('${real}');
      if (workerData.share.index === 1)
        parentPort.on('message', ({ do: order }) => { if (order === 'dump') setTimeout(() => { ${body}; }, 300); });`;
    const failures: Error[] = [];
    let failed: () => void = () => {};
    const failure = new Promise<void>((resolve) => {
      failed = resolve;
    });
    const crew = new Crew({
      epoch: 'test',
      stats: [makeStats(0), makeStats(1)],
      thread: new URL(`data:text/javascript,${encodeURIComponent(fault)}`),
      onFailure: (thrown) => {
        failures.push(thrown);
        failed();
      },
    });
    await crew.start();
    const results = await crew.apply([
      { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
      { do: 'wireguard.set', link: 'wg0', listenPort: 0, privateKey: formatKey(generatePrivateKey()) },
      { do: 'link.remove', name: 'wg0' },
    ]);
    assert.deepEqual(
      results.map((one) => one?.code ?? null),
      [null, null, 'object.dependency'],
    );
    const device = (await crew.dump()).find((row) => row.is === 'wireguard');
    assert.ok(device?.is === 'wireguard' && device.localPort !== null);
    const udp = await openUdp({ address: '127.0.0.1', port: 0 });
    const there = makeEndpoint(ip('127.0.0.1'), device.localPort);
    // Data for worker 1 (index bits 001) that nobody can open: its socket is readable all the time.
    const noise = pattern(64, 1);
    noise.set([4, 0, 0, 0, 0, 0, 0, 1 << 5]);
    const flood = setInterval(() => udp.send(rowsOf(new Array<Uint8Array>(20).fill(noise), there)), 1);
    t.after(async () => {
      clearInterval(flood);
      await udp.close();
    });
    await failure;
    assert.match(failures[0]!.message, how === 'ends' ? /ended by itself with code 3/ : /worker 1: on purpose/);
    assert.ok(crew.counters().drops['wireguard.unknownIndex']! > 0, 'counters are read where they lie');
    await crew.abandon();
    assert.equal(failures.length, 1);
  });
