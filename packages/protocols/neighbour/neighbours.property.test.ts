/** Any order of events, against the plain model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Lan, mac } from './lan.testing.ts';
import { Model } from './model.testing.ts';

const address = fc.integer({ min: 2, max: 6 });
const station = fc.integer({ min: 2, max: 5 });
const event = fc.oneof(
  fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 100, 999, 1000, 1001, 5000, 30_000, 31_000) }),
  fc.record({ kind: fc.constant('send' as const), address }),
  fc.record({ kind: fc.constant('heard' as const), address, station }),
  fc.record({
    kind: fc.constant('advertised' as const),
    address,
    station,
    solicited: fc.boolean(),
    override: fc.boolean(),
    bare: fc.boolean(),
  }),
);

for (const [family, of] of [
  ['IPv6', (n: number) => `fd88::${n}`],
  ['IPv4', (n: number) => `192.168.1.${n}`],
] as const)
  test(`${family}: what is known, and who is asked when, are as the model has them`, () => {
    let most = 0;
    fc.assert(
      fc.property(fc.array(event, { minLength: 20, maxLength: 60 }), (events) => {
        const lan = new Lan().have('192.168.1.1/24', 'fe80::1/64', 'fd88::1/64');
        const model = new Model();
        model.now = lan.now;
        for (const one of events) {
          if (one.kind === 'pass') {
            lan.pass(one.ms);
            model.pass(one.ms);
          } else if (one.kind === 'send') {
            lan.send(of(one.address));
            model.send(of(one.address));
          } else if (one.kind === 'heard') {
            if (family === 'IPv6') lan.solicit(mac(one.station), of(one.address), 'fd88::1');
            else lan.arp('request', mac(one.station), of(one.address), '192.168.1.1');
            model.heard(of(one.address), one.station);
          } else if (family === 'IPv6') {
            lan.advertise(mac(one.station), of(one.address), one);
            model.advertised(of(one.address), one.bare ? null : one.station, one.solicited, one.override);
          } else {
            // ARP has two kinds: answers, and announcements to everybody.
            if (one.solicited) lan.arp('reply', mac(one.station), of(one.address), '192.168.1.1');
            else lan.arp('request', mac(one.station), of(one.address), of(one.address));
            model.advertised(of(one.address), one.station, one.solicited, true);
          }
          for (let n = 2; n <= 6; n++) {
            const known = model.known.get(of(n));
            const said = known === undefined ? null : `02:00:00:00:00:0${Math.max(known.mac, 0)} ${known.state}`;
            assert.equal(lan.knows(of(n))?.replace(/^00:00:00:00:00:00/, '02:00:00:00:00:00') ?? null, said, of(n));
          }
        }
        const asked = lan.said
          .map((line) => /^(\d+) \S+ \S+ asks for (\S+)$/.exec(line))
          .filter((found) => found !== null);
        assert.deepEqual(asked.map(([, ms, whom]) => `${ms} ${whom}`).sort(), model.questions.sort());
        most = Math.max(most, asked.length);
      }),
      { seed: 11, numRuns: 400 },
    );
    assert.ok(most > 10, `no more than ${most} questions in a run`);
  });
