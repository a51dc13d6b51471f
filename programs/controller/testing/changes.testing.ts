/** Changes below /v1/vrouters as REST is asked for them, at random: some of each kind, in a world so small that they meet. */
import fc from 'fast-check';

export interface Asked {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  /** With its query, if it has one. */
  readonly path: string;
  readonly body?: object;
}

const V = '/v1/vrouters/v';
const post = (path: string, body?: object): Asked => ({ method: 'POST', path: V + path, ...(body && { body }) });
const patch = (path: string, body: object): Asked => ({ method: 'PATCH', path: V + path, body });
const del = (path: string): Asked => ({ method: 'DELETE', path: V + path });

export const testKey = (n: number): string => Buffer.alloc(32, n + 1).toString('base64');

const maybe = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value, { nil: undefined }).map((one) => (one === undefined ? {} : { [name]: one }));
const merged = (...parts: readonly fc.Arbitrary<object>[]): fc.Arbitrary<object> =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all) as object);

const which = fc.nat(4);
const presharedKey = fc.option(fc.nat(2).map((n) => testKey(100 + n)));
const allowedIps = fc.subarray(['192.168.1.0/24', '192.168.2.0/24', '192.168.3.0/24', 'fd00:9::/64']);
const vrf = fc.constantFrom('default', 'default', 'blue');
const link = fc.constantFrom('wg0', 'host0', 'lan');
const prefix = fc.constantFrom('192.168.1.0/24', '172.16.0.0/16', '0.0.0.0/0', '172.17.0.0/16');
const esc = encodeURIComponent;

const peers = fc.oneof(
  merged(fc.record({ allowedIps, presharedKey }), maybe('persistentKeepalive', fc.constant(25))).chain((rest) =>
    which.map((n) => post('/peers', { name: `p${n}`, publicKey: testKey(n), ...rest })),
  ),
  merged(
    maybe('allowedIps', allowedIps),
    maybe('presharedKey', presharedKey),
    maybe('persistentKeepalive', fc.constantFrom(0, 25)),
    maybe('endpoint', fc.constantFrom('192.0.2.1:5', null)),
  ).chain((body) => which.map((n) => patch(`/peers/p${n}`, body))),
  which.map((n) => del(`/peers/p${n}`)),
);

const routes = fc.oneof(
  fc.tuple(vrf, prefix, link).map(([of, to, by]) => post('/routes', { vrf: of, prefix: to, interface: by })),
  fc.tuple(vrf, prefix).map(([of, to]) => post('/routes', { vrf: of, prefix: to, blackhole: true })),
  fc.tuple(vrf, prefix).map(([of, to]) => del(`/routes?vrf=${of}&prefix=${esc(to)}`)),
  fc.constant(post('/vrfs', { name: 'blue' })),
  fc.constant(del('/vrfs/blue')),
);

const interfaces = fc.oneof(
  fc
    .tuple(vrf, fc.constantFrom(1280, 1420))
    .map(([of, mtu]) => post('/host-interfaces', { name: 'host0', vrf: of, mtu, addresses: ['10.99.0.1/24'] })),
  fc.constant(del('/host-interfaces/host0')),
  fc
    .tuple(vrf, fc.option(fc.constant(7)))
    .map(([of, vlanId]) =>
      post('/ports', { name: 'lan', device: 'eth1', vrf: of, vlanId, addresses: ['192.168.9.1/24'] }),
    ),
  fc.constant(del('/ports/lan')),
);

const nat = fc.oneof(
  fc
    .tuple(vrf, fc.option(link))
    .map(([of, by]) => post('/masquerades', { vrf: of, prefix: '10.77.0.0/24', leaving: by === null ? null : [by] })),
  vrf.map((of) => del(`/masquerades/${of}/${esc('10.77.0.0/24')}`)),
  fc
    .constantFrom(8080, 8081)
    .map((port) => post('/published-ports', { protocol: 'tcp', hostPort: 80, address: '10.77.0.2', port })),
  fc.constant(del('/published-ports/default/*/tcp/80')),
  fc.constant(post('/floating-ips', { id: 'mail', address: '192.0.2.9', fixedAddress: '10.77.0.3' })),
  fc.constant(del('/floating-ips/mail')),
  fc.constantFrom(60, 90).map((udpSeconds) => patch('/nat-settings', { udpSeconds })),
  fc.constant(del('/nat-settings')),
);

const whole = merged(
  maybe('mtu', fc.constantFrom(1280, 1380, 1420)),
  maybe('listenPort', fc.constantFrom(51820, 51821)),
  maybe('sourceCheck', fc.constantFrom('off', 'loose', 'strict')),
  maybe('mssClamp', fc.constantFrom('off', 'auto')),
  maybe('endpoint', fc.constantFrom('a.example.org', 'b.example.org:9')),
  maybe('networks', fc.constantFrom(['10.77.0.0/24'], ['10.77.0.0/24', '10.78.0.0/24'])),
).map((body) => patch('', body));

/** A change of the vrouter `v`, whose first network is 10.77.0.0/24. Many are refused, as they should be. */
export const anyChange: fc.Arbitrary<Asked> = fc.oneof(
  { weight: 5, arbitrary: peers },
  { weight: 3, arbitrary: routes },
  { weight: 2, arbitrary: interfaces },
  { weight: 3, arbitrary: nat },
  { weight: 2, arbitrary: whole },
);
