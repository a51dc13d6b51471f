/** The wire (1, 2, 3): clients of both descriptions over a unix socket and TCP, and what is no call. VSOCK has its own kernel: vsock.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { ProblemError } from '@vrouter/core/problem.ts';
import { ask, envelope, newerClient, olderClient, sessionOver, sessionTo } from './client.testing.ts';
import { type Open, open, path, session } from './door.testing.ts';
import { RouterDoor } from './door.ts';
import { MemoryIntents } from './memory.testing.ts';
import { parseLoopback } from './places.ts';
import { silent } from './world.testing.ts';

for (const [what, sessionOf] of [
  ['a unix socket', ({ socket }: Open) => sessionOver(connect(socket))],
  ['TCP', ({ port }: Open) => sessionTo(port)],
] as const)
  test(`1: an older client has its nine calls over ${what}`, async (t) => {
    const client = olderClient(sessionOf(await open(t)));
    const plain = (message: object): object => ({ ...message, $typeName: undefined, $unknown: undefined });
    const none = { $typeName: undefined, $unknown: undefined };
    const ok = { ...none, success: true, error: '' };
    const made = await client.createVLAN({
      vlanId: 100,
      subnet: '172.18.0.0/16',
      gateway: '172.18.0.1',
      enableNat: false,
    });
    assert.deepEqual(plain(made), { ...ok, interfaceName: 'eth0.100', macAddress: '02:00:5e:10:00:01' });
    const { vlans, error } = await client.listVLANs({});
    assert.equal(error, '');
    assert.equal(vlans[0]!.natEnabled, true, '11: what it does not send is on');
    assert.equal(vlans[0]!.subnet, '172.18.0.0/16');
    const calls = [
      client.configureNAT({ vlanId: 100, sourceSubnet: '172.18.0.0/16' }),
      client.removeNAT({ vlanId: 100, sourceSubnet: '172.18.0.0/16' }),
      client.configureDNS({ vlanId: 100, hosts: { web: '172.18.0.2', db: '172.18.0.3' } }),
      client.addPortMapping({
        containerIp: '172.18.0.2',
        containerPort: 80,
        hostPort: 8080,
        protocol: 'TCP',
        vlanId: 100,
      }),
      client.removePortMapping({ hostPort: 8080, protocol: 'tcp' }),
      client.deleteVLAN({ vlanId: 100 }),
    ];
    for (const answer of calls) assert.deepEqual(plain(await answer), ok);
    const health = await client.getHealth({});
    assert.deepEqual([health.healthy, health.status, health.activeVlans], [true, 'running', 0]);
    assert.equal(typeof health.uptimeSeconds, 'bigint');
    const failed = await client.createVLAN({ vlanId: 5 });
    assert.deepEqual([failed.success, failed.interfaceName, failed.error.length > 0], [false, '', true]);
  });

test('11: a client that says false has it', async (t) => {
  const client = newerClient(sessionTo((await open(t)).port));
  await client.createVLAN({ vlanId: 100, subnet: '172.18.0.0/16', gateway: '172.18.0.1', enableNat: false });
  assert.equal((await client.listVLANs({})).vlans[0]!.natEnabled, false);
});

test('1: a call as bytes', async (t) => {
  const at = await session(t, (await open(t)).port);
  const { headers, status, body } = await ask(at, path('DeleteVLAN'), [envelope(Buffer.of(8, 100))]);
  assert.deepEqual([headers[':status'], headers['content-type'], status], [200, 'application/grpc+proto', '0']);
  assert.equal(body.toString('hex'), '00000000020801');
});

test('2: statuses that are of the library alone', async (t) => {
  const { port, intents } = await open(t);
  const at = await session(t, port);
  const most = 4 * 1024 * 1024;
  const rows: readonly (readonly [string, string, readonly Uint8Array[], string])[] = [
    ['an unknown method', path('Nothing'), [envelope(Buffer.of())], '12'],
    ['an unknown service', '/router.Other/GetHealth', [envelope(Buffer.of())], '12'],
    ['health of gRPC itself', '/grpc.health.v1.Health/Check', [envelope(Buffer.of())], '12'],
    ['no message', path('DeleteVLAN'), [], '12'],
    ['two messages', path('DeleteVLAN'), [envelope(Buffer.of(8, 100)), envelope(Buffer.of(8, 100))], '12'],
    ['a field that is cut off', path('DeleteVLAN'), [envelope(Buffer.of(8))], '13'],
    ['a tag of no type', path('DeleteVLAN'), [envelope(Buffer.of(0x0f))], '13'],
    ['a text that is no UTF-8', path('RemoveNAT'), [envelope(Buffer.of(0x12, 2, 0xc3, 0x28))], '13'],
    ['a text longer than the message', path('RemoveNAT'), [envelope(Buffer.of(0x12, 200, 1))], '13'],
    ['more than 4 MiB', path('RemoveNAT'), [envelope(Buffer.alloc(most + 1))], '8'],
    ['a length of more than 4 MiB', path('RemoveNAT'), [envelope(Buffer.of(), most + 1)], '8'],
  ];
  for (const [what, to, pieces, expected] of rows) {
    const { headers, status } = await ask(at, to, pieces);
    assert.deepEqual([headers[':status'], status], [200, expected], what);
  }
  // Just that is no more than that: unknown fields, two of them.
  const junk = Buffer.concat([Buffer.of(0x7a, 0xfa, 0xff, 0xff, 0x01), Buffer.alloc(most - 6)]);
  assert.equal((await ask(at, path('GetHealth'), [envelope(junk.subarray(0, 5 + 0x3ffffa))])).status, '0');
  const gzip = await ask(at, path('GetHealth'), [envelope(Buffer.of())], {}, { 'grpc-encoding': 'gzip' });
  assert.equal(gzip.status, '12', 'no compression');
  assert.deepEqual(intents.said(), []);
  assert.equal((await ask(at, path('GetHealth'), [envelope(Buffer.of())])).status, '0', 'the connection goes on');
});

test('what is no gRPC is refused, and a connection that is no HTTP/2 is closed', async (t) => {
  const { port } = await open(t);
  const at = await session(t, port);
  assert.equal((await ask(at, '/', [], {}, { 'content-type': 'text/html' })).headers[':status'], 415);
  assert.equal(
    (await ask(at, path('GetHealth'), [], {}, { 'content-type': 'application/json' })).headers[':status'],
    415,
  );
  const raw = connect(port, '127.0.0.1');
  raw.on('error', () => {});
  raw.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  raw.resume();
  await new Promise((resolve) => raw.on('close', resolve));
  assert.equal((await ask(at, path('GetHealth'), [envelope(Buffer.of())])).status, '0');
});

test('clients of sockets may say whatever authority they like, or none', async (t) => {
  const at = await session(t, (await open(t)).port);
  for (const authority of ['localhost', 'vsock:3:50052', 'unix%3A%2Frun%2Fs', '[::', 'a:99999', '%'])
    assert.equal(
      (await ask(at, path('GetHealth'), [envelope(Buffer.of())], {}, { ':authority': authority })).status,
      '0',
      authority,
    );
});

test('3: fields that are not known are left alone', async (t) => {
  const at = await session(t, (await open(t)).port);
  const request = Buffer.concat([Buffer.of(8, 100, 0x7a, 3), Buffer.from('new'), Buffer.of(0xf8, 7, 1)]);
  const { status, body } = await ask(at, path('DeleteVLAN'), [envelope(request)]);
  assert.deepEqual([status, body.toString('hex')], ['0', '00000000020801']);
});

test('3: a connection that says nothing is kept: no time limit is set anywhere, and pings are answered', async (t) => {
  const { port, door } = await open(t);
  const at = await session(t, port);
  let goaway = 0;
  at.on('goaway', () => goaway++);
  for (let i = 0; i < 30; i++)
    await new Promise<void>((resolve, reject) => at.ping((error) => (error ? reject(error) : resolve())));
  await sleep(50);
  assert.equal((await ask(at, path('GetHealth'), [envelope(Buffer.of())])).status, '0');
  assert.equal(goaway, 0);
  for (const server of door.listeners.servers)
    assert.equal((server as unknown as { timeout?: number }).timeout ?? 0, 0);
});

test('deadlines and cancellation: who has gone before its turn changes nothing', async (t) => {
  const { port, intents } = await open(t);
  intents.delayMs = 150;
  const client = newerClient(sessionTo(port));
  const vlan = (vlanId: number) => ({ vlanId, subnet: `10.0.${vlanId}.0/24`, gateway: `10.0.${vlanId}.1` });
  const slow = client.createVLAN(vlan(100));
  await sleep(20);
  const gone = new AbortController();
  const cancelled = client.createVLAN(vlan(101), { signal: gone.signal });
  const late = client.createVLAN(vlan(102), { timeoutMs: 30 });
  const code = (expected: Code) => (thrown: unknown) => ConnectError.from(thrown).code === expected;
  setTimeout(() => gone.abort(), 20);
  await assert.rejects(cancelled, code(Code.Canceled));
  await assert.rejects(late, code(Code.DeadlineExceeded));
  assert.equal((await slow).success, true);
  assert.equal((await client.createVLAN(vlan(103))).success, true);
  assert.deepEqual(
    (await client.listVLANs({})).vlans.map(({ vlanId }) => vlanId),
    [100, 103],
  );
});

const changing = ['CreateVLAN', 'DeleteVLAN', 'ConfigureNAT', 'RemoveNAT', 'ConfigureDNS', 'AddPortMapping'];

test('deadlines that have passed before the call begins: status 4, nothing is done, and the next call is served', async (t) => {
  const { port, intents } = await open(t);
  const at = await session(t, port);
  for (const name of [...changing, 'RemovePortMapping', 'ListVLANs'])
    for (const timeout of ['0m', '0H'])
      assert.equal(
        (await ask(at, path(name), [envelope(Buffer.of())], {}, { 'grpc-timeout': timeout })).status,
        '4',
        `${name} ${timeout}`,
      );
  const headers = { ':method': 'POST', ':path': path('DeleteVLAN'), 'content-type': 'application/grpc' };
  const slow = at.request({ ...headers, te: 'trailers', 'grpc-timeout': '5m' });
  const trailers = once(slow, 'trailers') as Promise<[{ 'grpc-status'?: string }]>;
  slow.resume();
  await sleep(50);
  slow.end(envelope(Buffer.of(8, 100)));
  assert.equal((await trailers)[0]['grpc-status'], '4', 'the message came too late');
  const burst = Array.from({ length: 100 }, (_, i) =>
    ask(at, path('DeleteVLAN'), [envelope(Buffer.of(8, 100))], {}, { 'grpc-timeout': `${i * 40}u` }),
  );
  for (const { status } of await Promise.all(burst)) assert.match(status ?? '', /^[04]$/);
  assert.deepEqual(intents.changes, []);
  assert.equal((await ask(at, path('GetHealth'), [envelope(Buffer.of())])).status, '0');
});

test('deadlines beyond what a timer takes are none', async (t) => {
  const { port, intents } = await open(t);
  intents.delayMs = 30;
  const at = await session(t, port);
  const warnings: string[] = [];
  const warned = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  for (const timeout of ['596H', '597H', '1000H', '99999999H', '99999999M', '99999999S', '99999999m', '2147484S'])
    assert.equal(
      (await ask(at, path('DeleteVLAN'), [envelope(Buffer.of(8, 100))], {}, { 'grpc-timeout': timeout })).status,
      '0',
      timeout,
    );
  for (const timeout of ['1000000000H', '1h', ''])
    assert.equal(
      (await ask(at, path('DeleteVLAN'), [envelope(Buffer.of(8, 100))], {}, { 'grpc-timeout': timeout })).status,
      '13',
      `no deadline: "${timeout}"`,
    );
  assert.deepEqual(warnings, []);
});

test('a deadline that passes while the plane works is told in time', async (t) => {
  const { port, intents } = await open(t);
  intents.delayMs = 400;
  const client = newerClient(sessionTo(port));
  const began = performance.now();
  const late = client.createVLAN({ vlanId: 100, subnet: '10.0.0.0/24', gateway: '10.0.0.1' }, { timeoutMs: 50 });
  await assert.rejects(late, (thrown) => ConnectError.from(thrown).code === Code.DeadlineExceeded);
  assert.ok(performance.now() - began < 350);
});

test('closing waits for calls that run, and takes no more', async (t) => {
  const { port, intents, door } = await open(t);
  intents.delayMs = 100;
  const client = newerClient(sessionTo(port));
  const running = client.createVLAN({ vlanId: 100, subnet: '10.0.0.0/24', gateway: '10.0.0.1' });
  await sleep(30);
  const stopped = door.stop();
  assert.equal((await running).success, true);
  await stopped;
  await assert.rejects(newerClient(sessionTo(port)).getHealth({}));
});

test('the unix socket is its owner’s alone', async (t) => {
  assert.equal(statSync((await open(t)).socket).mode & 0o777, 0o600);
});

test('a place that is taken is told, and none is listened on', async (t) => {
  const { port, socket } = await open(t);
  const door = (places: object): RouterDoor =>
    new RouterDoor(
      { intents: new MemoryIntents(), parent: () => null, listeners: () => [], log: silent },
      { vsockPort: null, allowedCids: [], socket: null, tcp: null, ...places },
    );
  const isInUse = (thrown: unknown): boolean => thrown instanceof ProblemError && thrown.problem.code === 'port.inUse';
  const own = `${socket}.2`;
  await assert.rejects(door({ socket: own, tcp: { address: '127.0.0.1', port } }).start(), isInUse);
  assert.equal(existsSync(own), false);
  await assert.rejects(door({ socket }).start(), isInUse);
});

test('TCP is for this machine alone', () => {
  for (const text of ['127.0.0.1:50052', '127.9.9.9:1', '[::1]:50052', '[0:0:0:0:0:0:0:1]:0'])
    assert.ok(parseLoopback(text).ok, text);
  for (const text of [
    ...[
      '0.0.0.0:50052',
      '[::]:50052',
      '192.0.2.1:50052',
      '10.0.0.1:1',
      '[fe80::1]:1',
      '[::ffff:127.0.0.1]:1',
      'localhost:50052',
    ],
    ...[
      '127.0.0.1',
      '127.0.0.1:',
      '127.0.0.1:65536',
      ':50052',
      '50052',
      '',
      '::1:50052',
      '127.1:50052',
      '127.0.0.1:1x',
    ],
  ])
    assert.ok(!parseLoopback(text).ok, text);
});
