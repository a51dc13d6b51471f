import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asciiBytes } from '@vrouter/core/bytes.ts';
import fc from 'fast-check';
import { Errno } from './errno.ts';
import { emptyPeerChange, emptySet, type UapiSet } from './operation.ts';
import { UapiParser, type UapiRequest } from './parser.ts';
import { formatDevice, formatErrno, type UapiDevice } from './reply.ts';
import { formatSet, parseReply } from './request.testing.ts';
import { fuzzOne } from './uapi.fuzz.ts';

const hexA = 'aa'.repeat(32);
const hexB = '0b'.repeat(32);
const keyA = new Uint8Array(32).fill(0xaa);
const keyB = new Uint8Array(32).fill(0x0b);
const zero = '0'.repeat(64);

function read(text: string, limits?: { line: number; operation: number }): UapiRequest[] {
  const parser = new UapiParser(limits);
  const out: UapiRequest[] = [];
  parser.push(asciiBytes(text), out);
  return out;
}

const bad = (errno: Errno, fatal = false): UapiRequest => ({ op: 'bad', errno, fatal });

test('literal requests: what each line means', () => {
  const text = `set=1
private_key=${hexA}
listen_port=51820
fwmark=51820
replace_peers=true
public_key=${hexA}
remove=true
public_key=${hexB.toUpperCase()}
update_only=true
preshared_key=${zero}
endpoint=[2001:DB8::1]:51820
persistent_keepalive_interval=25
replace_allowed_ips=true
allowed_ip=10.1.2.3/8
allowed_ip=-fd00::1/64
protocol_version=1

get=1

`;
  const set: UapiSet = {
    privateKey: keyA,
    listenPort: 51820,
    fwmark: 51820,
    replacePeers: true,
    peers: [
      { ...emptyPeerChange(keyA), remove: true },
      {
        publicKey: keyB,
        remove: false,
        updateOnly: true,
        presharedKey: new Uint8Array(32),
        endpoint: '[2001:db8::1]:51820',
        persistentKeepalive: 25,
        replaceAllowedIps: true,
        allowedIps: [
          { remove: false, prefix: '10.0.0.0/8' },
          { remove: true, prefix: 'fd00::/64' },
        ],
      },
    ],
  };
  assert.deepEqual(read(text), [{ op: 'set', set }, { op: 'get' }]);
  assert.deepEqual(read('set=1\n\n'), [{ op: 'set', set: emptySet() }]);
});

test('of a scalar that is said twice the last counts, and replacing forgets what was added before it', () => {
  const text = `set=1\nlisten_port=1\nlisten_port=2\npublic_key=${hexA}\nallowed_ip=10.0.0.0/8\nreplace_allowed_ips=true\nallowed_ip=10.9.0.0/16\n\n`;
  const [request] = read(text);
  assert.ok(request?.op === 'set');
  assert.equal(request.set.listenPort, 2);
  assert.deepEqual(request.set.peers[0]!.allowedIps, [{ remove: false, prefix: '10.9.0.0/16' }]);
});

const peer = `set=1\npublic_key=${hexA}\n`;
const wrong: readonly [name: string, text: string, errno: Errno][] = [
  ['an empty operation', '\n', Errno.proto],
  ['an unknown operation', 'put=1\n\n', Errno.proto],
  ['another version', 'get=2\n\n', Errno.proto],
  ['a get that says more', 'get=1\nlisten_port=5\n\n', Errno.inval],
  ['no equals sign', 'set=1\nlisten_port\n\n', Errno.proto],
  ['an unknown key of the device', 'set=1\nmtu=1420\n\n', Errno.inval],
  ['a key of a peer before any peer', 'set=1\nallowed_ip=10.0.0.0/8\n\n', Errno.inval],
  ['a key of the device after a peer', `${peer}listen_port=5\n\n`, Errno.inval],
  ['an unknown key of a peer', `${peer}name=x\n\n`, Errno.inval],
  ['a short key', 'set=1\npublic_key=aa\n\n', Errno.inval],
  ['a key that is not hex', `set=1\nprivate_key=${'g'.repeat(64)}\n\n`, Errno.inval],
  ['a port above 65535', 'set=1\nlisten_port=65536\n\n', Errno.inval],
  ['a negative port', 'set=1\nlisten_port=-1\n\n', Errno.inval],
  ['a mark above 32 bits', 'set=1\nfwmark=4294967296\n\n', Errno.inval],
  ['a flag that is not true', 'set=1\nreplace_peers=false\n\n', Errno.inval],
  ['remove that is not true', `${peer}remove=1\n\n`, Errno.inval],
  ['a prefix without a length', `${peer}allowed_ip=10.0.0.1\n\n`, Errno.inval],
  ['a prefix that is too long', `${peer}allowed_ip=10.0.0.0/33\n\n`, Errno.inval],
  ['an endpoint that is a name', `${peer}endpoint=example.net:51820\n\n`, Errno.inval],
  ['an endpoint without a port', `${peer}endpoint=192.0.2.1\n\n`, Errno.inval],
  ['an endpoint at port 0', `${peer}endpoint=192.0.2.1:0\n\n`, Errno.inval],
  ['a keepalive that is a word', `${peer}persistent_keepalive_interval=off\n\n`, Errno.inval],
  ['another protocol', `${peer}protocol_version=2\n\n`, Errno.inval],
  ['a carriage return', 'set=1\nlisten_port=5\r\n\n', Errno.inval],
  ['a zero byte', 'set=1\nlisten_port=5\0\n\n', Errno.inval],
  ['a long line', `set=1\nlisten_port=${'0'.repeat(300)}\n\n`, Errno.tooBig],
];
for (const [name, text, errno] of wrong) {
  test(`wrong: ${name}; what follows is understood`, () => {
    assert.deepEqual(read(`${text}get=1\n\n`), [bad(errno), { op: 'get' }]);
  });
}

test('the first wrong line decides', () => {
  assert.deepEqual(read('set=1\nlisten_port\nlisten_port=x\n\n'), [bad(Errno.proto)]);
});

test('an operation beyond its limit ends the connection, also without an end of a line', () => {
  const limits = { line: 256, operation: 50 };
  assert.deepEqual(read(`get=1\n\nset=1\n${'fwmark=1\n'.repeat(20)}\nget=1\n\n`, limits), [
    { op: 'get' },
    bad(Errno.tooBig, true),
  ]);
  assert.deepEqual(read('x'.repeat(1000), limits), [bad(Errno.tooBig, true)]);
});

test('an operation is pending from its first byte to its empty line', () => {
  const parser = new UapiParser();
  const out: UapiRequest[] = [];
  assert.equal(parser.pending, false);
  for (const piece of ['g', 'et=1', '\n']) {
    parser.push(asciiBytes(piece), out);
    assert.equal(parser.pending, true);
  }
  parser.push(asciiBytes('\n'), out);
  assert.deepEqual([parser.pending, out], [false, [{ op: 'get' }]]);
});

test('literal replies', () => {
  const device: UapiDevice = {
    privateKey: keyA,
    listenPort: 51820,
    fwmark: 0,
    peers: [
      {
        publicKey: keyB,
        presharedKey: null,
        endpoint: '192.0.2.1:5',
        lastHandshakeUnixMs: 1_700_000_000_123,
        rxBytes: 148,
        txBytes: 92,
        persistentKeepalive: 25,
        allowedIps: ['10.0.0.2/32', 'fd77::2/128'],
      },
    ],
  };
  assert.equal(
    formatDevice(device) + formatErrno(Errno.none),
    `private_key=${hexA}
listen_port=51820
public_key=${hexB}
preshared_key=${zero}
protocol_version=1
endpoint=192.0.2.1:5
last_handshake_time_sec=1700000000
last_handshake_time_nsec=123000000
tx_bytes=92
rx_bytes=148
persistent_keepalive_interval=25
allowed_ip=10.0.0.2/32
allowed_ip=fd77::2/128
errno=0

`,
  );
  assert.equal(formatDevice({ privateKey: null, listenPort: 0, fwmark: 7, peers: [] }), 'listen_port=0\nfwmark=7\n');
  assert.equal(formatErrno(Errno.perm), 'errno=-1\n\n');
});

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** Objects as literals make them, which deepEqual tells from those without a prototype. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });
const some = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(of, { nil: null });
const prefix = fc.constantFrom('10.0.0.0/8', '192.0.2.1/32', '0.0.0.0/0', '::/0', 'fd00::/64', '2001:db8::1/128');
const endpoint = fc.constantFrom('192.0.2.1:1', '[2001:db8::1]:65535', '127.0.0.1:51820');
const setOf: fc.Arbitrary<UapiSet> = plain({
  privateKey: some(key),
  listenPort: some(fc.nat(65_535)),
  fwmark: some(fc.nat(0xffff_ffff)),
  replacePeers: fc.boolean(),
  peers: fc.array(
    plain({
      publicKey: key,
      remove: fc.boolean(),
      updateOnly: fc.boolean(),
      presharedKey: some(key),
      endpoint: some(endpoint),
      persistentKeepalive: some(fc.nat(65_535)),
      replaceAllowedIps: fc.boolean(),
      allowedIps: fc.array(plain({ remove: fc.boolean(), prefix })),
    }),
    { maxLength: 4 },
  ),
});
const deviceOf: fc.Arbitrary<UapiDevice> = plain({
  privateKey: some(key),
  listenPort: fc.nat(65_535),
  fwmark: fc.nat(0xffff_ffff),
  peers: fc.array(
    plain({
      publicKey: key,
      presharedKey: some(key.map((bytes) => bytes.with(0, 1))),
      endpoint: some(endpoint),
      lastHandshakeUnixMs: some(fc.integer({ min: 1000, max: 2 ** 42 })),
      rxBytes: fc.maxSafeNat(),
      txBytes: fc.maxSafeNat(),
      persistentKeepalive: fc.nat(65_535),
      allowedIps: fc.array(prefix),
    }),
    { maxLength: 4 },
  ),
});

test('whatever is asked is understood as it was meant, in whatever pieces it comes', () => {
  fc.assert(
    fc.property(fc.array(setOf, { maxLength: 3 }), fc.integer({ min: 1, max: 80 }), (sets, size) => {
      const bytes = asciiBytes(sets.map(formatSet).join(''));
      const parser = new UapiParser();
      const out: UapiRequest[] = [];
      for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size), out);
      assert.deepEqual(
        out,
        sets.map((set) => ({ op: 'set', set })),
      );
    }),
    { seed: 31, numRuns: 200 },
  );
});

test('whatever is told is understood as it was meant', () => {
  fc.assert(
    fc.property(deviceOf, (device) => {
      assert.deepEqual(parseReply(formatDevice(device) + formatErrno(Errno.none)), { device, errno: 0 });
    }),
    { seed: 32, numRuns: 200 },
  );
});

test('random bytes never throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fuzzOne), { seed: 33, numRuns: 500 });
});
