/** Clients of a published service, each by one way alone, against a model of plain Maps: random packets, time and restarts of ours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { TcpFlag } from '@vrouter/wire/tcp/tcp.ts';
import fc from 'fast-check';
import { Drop, dropReasons } from '../graph/drops.ts';
import { endsOf, into, masquerade, OUTSIDE, out, packetOf, published, word } from './nat.testing.ts';
import { Nat } from './nat.ts';
import { defaultNatSettings } from './settings.ts';

const { syn, ack, psh } = TcpFlag;
const settings = {
  ...defaultNatSettings,
  udpMs: 30_000,
  udpOneWayMs: 9_000,
  tcpTransitoryMs: 12_000,
  tcpOneWayMs: 5_000,
  tcpEstablishedMs: 60_000,
};
const service = { ip: '10.77.0.9', port: 8083 };
const asked = { ip: OUTSIDE, port: 83 };
const vrfs = Int32Array.of(0, 0, 0);
const addresses = Int32Array.of(word('10.77.0.1'), word(OUTSIDE), word('10.88.0.1'));
const reachedBy = Uint8Array.of(0, 1, 0);
const ranges = [
  { ...published, reachedBy },
  { ...published, rule: 2, protocol: IpProtocol.udp, reachedBy },
];

function translator(isMasked: boolean, now: number): Nat {
  const nat = new Nat(settings, seededRng(7));
  for (let rule = 0; rule < 3; rule++) nat.packets[rule] = nat.bytes[rule] = nat.sessions.ofRule[rule] = 0;
  const rules = isMasked ? [{ ...masquerade, leaving: Uint8Array.of(0, 1, 0) }] : [];
  nat.configure(rules, ranges, addresses, vrfs, new Set());
  nat.advance(now);
  return nat;
}

/** What we should know of a client: by which address it speaks, and until when that holds. */
interface Known {
  readonly isDirect: boolean;
  heardInside: boolean;
  heardOutside: boolean;
  open: boolean;
  ends: number;
}

interface Step {
  readonly do: 'client' | 'service' | 'restart';
  readonly protocol: 'tcp' | 'udp';
  /** Where the client is: 0 the link of the service, 1 outside, 2 another inside. */
  readonly link: number;
  readonly isDirect: boolean;
  readonly flags: 'first' | 'data';
  readonly wait: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.oneof(
    { weight: 10, arbitrary: fc.constant('client' as const) },
    { weight: 10, arbitrary: fc.constant('service' as const) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
  ),
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  link: fc.constantFrom(0, 1, 2),
  isDirect: fc.boolean(),
  flags: fc.constantFrom('first' as const, 'data' as const),
  wait: fc.oneof({ weight: 5, arbitrary: fc.nat(900) }, { weight: 1, arbitrary: fc.nat(40_000) }),
});

const networks = ['10.77.0', '203.0.113', '10.88.0'];
const clientOf = ({ link, isDirect }: Step): { ip: string; port: number } => ({
  ip: `${networks[link]}.${isDirect ? 7 : 8}`,
  port: 5555,
});

for (const isMasked of [false, true])
  test(`who speaks directly is answered directly, who asks the published address by it${isMasked ? ', masqueraded' : ''}`, () => {
    const answers = { direct: 0, asked: 0 };
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), (steps) => {
        const known = new Map<string, Known>();
        let now = 0;
        let nat = translator(isMasked, now);
        for (const one of steps) {
          now += one.wait;
          nat.advance(now);
          const { protocol, link, isDirect } = one;
          const client = clientOf(one);
          // Inside the published address is asked with a hairpin, whose source masquerade changes: another test's.
          if (!isDirect && isMasked && link !== 1) continue;
          const key = `${protocol} ${link} ${isDirect}`;
          let state = known.get(key);
          if (state !== undefined && Math.floor(now / 1000) >= state.ends) state = undefined;
          const learn = (by: boolean): Known => {
            const fresh = { isDirect: by, heardInside: false, heardOutside: false, open: false, ends: 0 };
            known.set(key, fresh);
            return fresh;
          };
          const see = (flow: Known, isInside: boolean, isSyn: boolean): void => {
            if (isInside) flow.heardInside = true;
            else flow.heardOutside = true;
            const both = flow.heardInside && flow.heardOutside;
            if (both && !isSyn) flow.open = true;
            const opening = both ? settings.tcpTransitoryMs : settings.tcpOneWayMs;
            const tcp = flow.open ? settings.tcpEstablishedMs : opening;
            const udp = both ? settings.udpMs : settings.udpOneWayMs;
            flow.ends = Math.ceil((now + (protocol === 'tcp' ? tcp : udp)) / 1000);
          };
          const isSyn = protocol === 'tcp' && one.flags === 'first';
          if (one.do === 'restart') {
            nat = translator(isMasked, now);
            known.clear();
          } else if (one.do === 'client') {
            const packet = packetOf(protocol, client, isDirect ? service : asked, { flags: isSyn ? syn : ack | psh });
            assert.equal(isDirect ? out(nat, packet, link, 0) : into(nat, packet, link), Drop.none);
            assert.deepEqual(endsOf(packet), { src: client, dst: service });
            if (state === undefined || state.isDirect !== isDirect) state = learn(isDirect);
            see(state, false, isSyn);
          } else {
            const packet = packetOf(protocol, service, client, { flags: isSyn ? syn | ack : ack | psh });
            const reason = dropReasons[out(nat, packet, 0, link)]!;
            const isWayOut = link === 1;
            if (state === undefined && isSyn && isMasked && isWayOut) {
              assert.equal(reason, 'natNoSession');
              continue;
            }
            assert.equal(reason, 'none');
            if (state === undefined && isSyn) state = learn(true);
            else if (state === undefined && isWayOut) state = learn(false);
            // By no way out: it passes, and nothing is learnt by it.
            const goesAs = state?.isDirect !== false ? service : asked;
            assert.deepEqual(endsOf(packet), { src: goesAs, dst: client });
            if (state !== undefined) see(state, true, isSyn);
            if (goesAs === service) answers.direct++;
            else answers.asked++;
          }
        }
        const live = [...known.values()].filter(({ ends }) => Math.floor(now / 1000) < ends);
        assert.equal(nat.sessions.count, live.filter((one) => !one.isDirect).length);
        assert.equal(nat.direct.count, live.filter((one) => one.isDirect).length);
      }),
      { seed: 22, numRuns: 400 },
    );
    assert.ok(answers.direct > 300 && answers.asked > 200, JSON.stringify(answers));
  });
