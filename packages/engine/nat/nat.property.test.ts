/** The translator against one of plain Maps that is slow and easy to believe, on random traffic under a clock that only goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TcpFlag } from '@vrouter/wire/tcp/tcp.ts';
import fc from 'fast-check';
import { Drop, dropReasons } from '../graph/drops.ts';
import {
  type Endpoint,
  endsOf,
  into,
  makeNat,
  OUTSIDE,
  out,
  type Protocol,
  packetOf,
  sumsAreRight,
  word,
} from './nat.testing.ts';
import type { Nat } from './nat.ts';

const settings = {
  maxSessions: 24,
  maxPerHost: 9,
  udpMs: 30_000,
  udpOneWayMs: 9_500,
  icmpMs: 7_000,
  tcpTransitoryMs: 12_300,
  tcpOneWayMs: 4_200,
  tcpEstablishedMs: 60_000,
};

interface Session {
  readonly key: string;
  readonly protocol: Protocol;
  readonly host: Endpoint;
  readonly remote: Endpoint;
  /** Chosen by the real one. */
  port: number;
  ends: number;
  out: boolean;
  in: boolean;
  open: boolean;
  rst: boolean;
  finOut: boolean;
  finIn: boolean;
}

/** What should be. Only the choice of ports is taken from the real one. */
class Model {
  readonly sessions = new Map<string, Session>();
  now = 0;

  pass(ms: number): void {
    this.now += ms;
    for (const [key, session] of this.sessions)
      if (Math.floor(this.now / 1000) >= session.ends) this.sessions.delete(key);
  }

  mapping(protocol: Protocol, host: Endpoint): number | null {
    for (const s of this.sessions.values())
      if (s.protocol === protocol && s.host.ip === host.ip && s.host.port === host.port) return s.port;
    return null;
  }

  byPort(protocol: Protocol, port: number): Session[] {
    return [...this.sessions.values()].filter((s) => s.protocol === protocol && s.port === port);
  }

  refusal(ip: string): string {
    if (this.sessions.size >= settings.maxSessions) return 'natTableFull';
    return [...this.sessions.values()].filter((s) => s.host.ip === ip).length >= settings.maxPerHost
      ? 'natHostLimit'
      : 'none';
  }

  add(protocol: Protocol, host: Endpoint, remote: Endpoint): Session {
    const key = keyOf(protocol, host, remote);
    const none = { port: -1, ends: 0, out: false, in: false, open: false, rst: false, finOut: false, finIn: false };
    const session = { key, protocol, host, remote, ...none };
    this.sessions.set(key, session);
    return session;
  }

  see(s: Session, outbound: boolean, flags: number): void {
    const reset = (flags & TcpFlag.rst) !== 0;
    const syn = (flags & TcpFlag.syn) !== 0;
    if (s.protocol === 'tcp' && syn && (s.rst || (s.finOut && s.finIn)))
      s.out = s.in = s.open = s.rst = s.finOut = s.finIn = false;
    if (s.protocol === 'tcp' && reset) s.rst = true;
    else {
      if (outbound) s.out = true;
      else s.in = true;
      if (outbound) s.rst = false;
      if ((flags & TcpFlag.fin) !== 0 && outbound) s.finOut = true;
      if ((flags & TcpFlag.fin) !== 0 && !outbound) s.finIn = true;
      if (!syn && s.out && s.in) s.open = true;
    }
    const live = s.open && !s.rst && !(s.finOut && s.finIn);
    const opening = s.in && s.out ? settings.tcpTransitoryMs : settings.tcpOneWayMs;
    const tcp = live ? settings.tcpEstablishedMs : opening;
    const udp = s.in && s.out ? settings.udpMs : settings.udpOneWayMs;
    const life = s.protocol === 'tcp' ? tcp : s.protocol === 'udp' ? udp : settings.icmpMs;
    s.ends = Math.ceil((this.now + life) / 1000);
  }
}

const keyOf = (protocol: Protocol, host: Endpoint, remote: Endpoint): string =>
  `${protocol} ${host.ip}:${host.port} ${remote.ip}:${protocol === 'icmp' ? 0 : remote.port}`;

/** ICMP has no port at the far end. */
const farOf = (protocol: Protocol, ip: string, port: number): Endpoint => ({
  ip,
  port: protocol === 'icmp' ? 0 : port,
});

interface Packet {
  readonly outbound: boolean;
  readonly protocol: Protocol;
  readonly host: Endpoint;
  readonly remote: Endpoint;
  readonly flags: number;
  readonly wait: number;
  readonly data: Uint8Array;
}

function sendOut(nat: Nat, model: Model, p: Packet): void {
  const { protocol, host, remote, flags } = p;
  const bytes = packetOf(protocol, host, remote, p);
  const before = bytes.slice();
  const reason = dropReasons[out(nat, bytes)]!;
  let session = model.sessions.get(keyOf(protocol, host, remote));
  if (session === undefined) {
    const cannot =
      protocol === 'tcp' && (flags & (TcpFlag.rst | TcpFlag.fin)) !== 0 ? 'natNoSession' : model.refusal(host.ip);
    assert.equal(reason, cannot);
    if (cannot !== 'none') {
      assert.deepEqual(bytes, before);
      return;
    }
    const known = model.mapping(protocol, host);
    session = model.add(protocol, host, remote);
    session.port = endsOf(bytes).src.port;
    // The same for every far end, and nobody else's.
    if (known !== null) assert.equal(session.port, known);
    else if (host.port >= 1024 && model.byPort(protocol, host.port).every((s) => s === session))
      assert.equal(session.port, host.port, 'its own port is free');
    for (const other of model.byPort(protocol, session.port)) assert.deepEqual(other.host, host);
  }
  assert.equal(reason, 'none');
  model.see(session, true, flags);
  assert.deepEqual(
    bytes,
    packetOf(protocol, { ip: OUTSIDE, port: session.port }, remote, p),
    'the same under another source',
  );
  assert.ok(sumsAreRight(bytes));
}

function sendIn(nat: Nat, model: Model, p: Packet): void {
  const { protocol, host, remote, flags } = p;
  const port = model.mapping(protocol, host) ?? host.port;
  const more = { ...p, reply: true };
  const bytes = packetOf(protocol, remote, { ip: OUTSIDE, port }, more);
  const number = into(nat, bytes);
  const reason = number < 0 ? 'ours' : dropReasons[number]!;
  const mapped = model.byPort(protocol, port);
  let session = mapped.find((s) => s.remote.ip === remote.ip && s.remote.port === remote.port);
  if (session === undefined) {
    const target = mapped[0]?.host;
    const isFirst =
      protocol === 'udp' || (flags & (TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin)) === TcpFlag.syn;
    const wanted =
      target === undefined
        ? 'ours'
        : mapped.every((s) => s.remote.ip !== remote.ip)
          ? 'natFiltered'
          : protocol === 'icmp' || !isFirst
            ? 'natNoSession'
            : model.refusal(target.ip);
    assert.equal(reason, wanted);
    if (wanted !== 'none') return;
    session = model.add(protocol, target!, remote);
    session.port = port;
  }
  assert.equal(reason, 'none');
  model.see(session, false, flags);
  assert.deepEqual(bytes, packetOf(protocol, remote, session.host, more), 'the same to another destination');
  assert.ok(sumsAreRight(bytes));
}

const packet: fc.Arbitrary<Packet> = fc
  .record({
    outbound: fc.boolean(),
    protocol: fc.constantFrom<Protocol[]>('udp', 'tcp', 'icmp'),
    hostIp: fc.constantFrom('10.77.0.2', '10.77.0.3', '10.9.9.9'),
    hostPort: fc.constantFrom(123, 4000, 4001, 65535),
    remoteIp: fc.constantFrom('203.0.113.1', '203.0.113.2', '192.0.2.255'),
    remotePort: fc.constantFrom(0, 53, 65535),
    flags: fc.constantFrom(
      TcpFlag.syn,
      TcpFlag.syn | TcpFlag.ack,
      TcpFlag.ack,
      TcpFlag.ack | TcpFlag.psh,
      TcpFlag.fin | TcpFlag.ack,
      TcpFlag.rst,
    ),
    wait: fc.oneof({ weight: 4, arbitrary: fc.nat(500) }, { weight: 1, arbitrary: fc.nat(20_000) }),
    data: fc.uint8Array({ maxLength: 12 }),
  })
  .map(({ hostIp, hostPort, remoteIp, remotePort, ...rest }) => ({
    ...rest,
    host: { ip: hostIp, port: hostPort },
    remote: farOf(rest.protocol, remoteIp, remotePort),
  }));

test('random traffic: translated, refused and forgotten as by the model', () => {
  let translated = 0;
  fc.assert(
    fc.property(fc.array(packet, { minLength: 1, maxLength: 120 }), (packets) => {
      const nat = makeNat(settings);
      const model = new Model();
      for (const p of packets) {
        model.pass(p.wait);
        nat.advance(model.now);
        if (p.outbound) sendOut(nat, model, p);
        else sendIn(nat, model, p);
        assert.equal(nat.sessions.count, model.sessions.size);
        const mappings = new Set([...model.sessions.values()].map((s) => `${s.protocol} ${s.port}`));
        assert.equal(nat.sessions.mappings.count, mappings.size);
        translated += nat.packets[0]!;
      }
      for (const ip of ['10.77.0.2', '10.77.0.3', '10.9.9.9'])
        assert.equal(
          nat.sessions.ofHost(word(ip), 0),
          [...model.sessions.values()].filter((s) => s.host.ip === ip).length,
        );
    }),
    { seed: 21, numRuns: 300 },
  );
  assert.ok(translated > 1000, 'something was translated at all');
});

test('a busy table: every outside endpoint is one host’s, and everything comes back as it went', () => {
  const nat = makeNat();
  const seen = new Map<number, string>();
  for (let i = 0; i < 20_000; i++) {
    const host = { ip: `10.77.${i % 7}.${1 + (i % 11)}`, port: 1024 + ((i * 7919) % 30_000) };
    const far = { ip: `203.0.113.${1 + (i % 3)}`, port: 53 };
    const bytes = packetOf('udp', host, far);
    assert.equal(out(nat, bytes), Drop.none);
    const { src } = endsOf(bytes);
    assert.equal(seen.get(src.port) ?? `${host.ip}:${host.port}`, `${host.ip}:${host.port}`);
    seen.set(src.port, `${host.ip}:${host.port}`);
    const back = packetOf('udp', far, src);
    assert.equal(into(nat, back), Drop.none);
    assert.deepEqual(back, packetOf('udp', far, host));
  }
  assert.equal(nat.sessions.mappings.count, seen.size);
});
