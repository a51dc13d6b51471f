/** Who listens on this machine, read from the kernel's tables, and whom a published port would disturb. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { disturbed, type Listener, listenersNow, othersThanResolvers } from './listeners.ts';

const skip = endianness() === 'LE' ? false : 'tables of a little-endian machine';

const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 070200C0:0016 090200C0:C001 01 00000000:00000000 00:00000000 00000000     0        0 2 1
`;
const tcp6 = `  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0 0
   1: B80D0120000000000000000007000000:01BB 00000000000000000000000000000000:0000 0A 0 0
`;
const udp = `   sl  local_address rem_address   st
  100: 00000000:0035 00000000:0000 07 0 0
`;

test('listeners: who waits for anybody, by TCP and UDP', { skip }, () => {
  const tables: { readonly [path: string]: string } = { tcp, tcp6, udp };
  assert.deepEqual(
    listenersNow((path) => tables[path.slice('/proc/self/net/'.length)] ?? ''),
    [
      { protocol: 'tcp', address: '127.0.0.1', port: 8080 },
      { protocol: 'tcp', address: '::', port: 22 },
      { protocol: 'tcp', address: '2001:db8::7', port: 443 },
      { protocol: 'udp', address: '0.0.0.0', port: 53 },
    ],
  );
});

const listeners: Listener[] = [
  { protocol: 'tcp', address: '127.0.0.1', port: 8080 },
  { protocol: 'tcp', address: '::', port: 22 },
  { protocol: 'tcp', address: 'fd18::1', port: 443 },
  { protocol: 'udp', address: '0.0.0.0', port: 53 },
];

for (const [protocol, hostAddress, hostPort, count, port] of [
  ['tcp', null, 8080, 1, 8080],
  ['tcp', null, 8000, 100, 8080],
  ['tcp', null, 8081, 10, null],
  ['udp', null, 8080, 1, null],
  ['tcp', '192.0.2.1', 8080, 1, null],
  ['tcp', '127.0.0.1', 8080, 1, 8080],
  ['tcp', '::', 8080, 1, null],
  ['tcp', null, 22, 1, 22],
  ['tcp', '192.0.2.1', 22, 1, 22],
  ['tcp', '::', 443, 1, 443],
  ['tcp', 'fd19::1', 443, 1, null],
  ['udp', '192.0.2.1', 53, 1, 53],
  ['udp', '::', 53, 1, null],
] as const)
  test(`${hostAddress ?? '*'} ${protocol} ${hostPort} and ${count - 1} more`, () => {
    assert.equal(disturbed(listeners, { hostAddress, protocol, hostPort, count })?.port ?? null, port);
  });

test('a server of this machine is heard of', async () => {
  await using server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  assert.ok(listenersNow().some((one) => one.protocol === 'tcp' && one.address === '127.0.0.1' && one.port === port));
});

test('resolvers of ours are at the gateways of networks, at port 53, and at link-local addresses', () => {
  const network = parseIntent({
    kind: 'network',
    id: 'blue',
    attachment: 'bridged',
    interface: 'br-blue',
    subnets: [{ prefix: '172.18.0.0/16', gateway: '172.18.0.1' }],
  });
  assert.ok(network.ok);
  const at = (address: string, port = 53): Listener => ({ protocol: 'udp', address, port });
  const ours = [at('172.18.0.1'), at('fe80::1')];
  const others = [at('172.18.0.1', 80), at('172.19.0.1'), at('0.0.0.0'), at('127.0.0.1'), at('fe80::1', 80)];
  assert.deepEqual(othersThanResolvers([...ours, ...others], [{ intent: network.value }]), others);
  assert.deepEqual(othersThanResolvers([...ours, ...others], []), [...ours, ...others]);
});
