import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Intent, IntentSource } from '../model/intents.ts';
import { intentKey } from '../model/intents.ts';
import { objectKey, type PlaneObject } from '../model/objects.ts';
import { sameValue } from '../model/same.ts';
import { planeKinds, testKey, testOutside } from '../testing/outside.ts';
import { Desired } from './desired.ts';

const kinds = planeKinds;

// Small worlds, so that references, claims and sources meet often.
const prefix = fc.constantFrom('10.0.0.0/24', '10.0.0.0/25', '10.0.1.0/24', '10.0.1.7/32');
const link = fc.constantFrom('wg0', 'wg1');
const vrf = fc.constantFrom('default', 'blue', 'red');
const intent: fc.Arbitrary<Intent> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('vrf' as const), name: vrf }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('gatewayInterface' as const),
      name: link,
      type: fc.constant('wireguard' as const),
      vrf,
      listenPort: fc.constantFrom(0, 1, 2),
      mtu: fc.constantFrom(1420, 1280),
      mssClamp: fc.constantFrom('auto', 'off'),
      sourceCheck: fc.constantFrom('off', 'strict'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('address' as const),
      interface: link,
      address: fc.constantFrom('10.0.0.1/24', '10.0.1.7/32'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('peer' as const),
      interface: link,
      publicKey: fc.constantFrom(testKey(1), testKey(2), testKey(3)),
      name: fc.constant('p'),
      presharedKey: fc.constantFrom(null, testKey(9)),
      allowedIps: fc.uniqueArray(prefix, { maxLength: 3 }).map((list) => list.sort()),
      endpoint: fc.constant(null),
      persistentKeepalive: fc.constantFrom(0, 25),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('route' as const),
      vrf,
      prefix,
      interface: link,
      nextHop: fc.constant(null),
      blackhole: fc.constant(false),
    }),
  },
);
const source = fc.constantFrom<IntentSource>('controller', 'file');
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('put' as const), source, intent }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('remove' as const), source, intent }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('take' as const) }) },
);

function world(desired: Desired): Map<string, PlaneObject> {
  return new Map([...desired.all()].map((object) => [objectKey(object), object]));
}

test('after any sequence of changes: as if compiled from scratch, and every changed object was told', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60, size: 'max' }), (commands) => {
      const live = new Desired(testOutside(), kinds);
      /** What is said now, in the order in which it was first said. */
      const said = new Map<string, { source: IntentSource; intent: Intent }>();
      let known = new Map<string, PlaneObject>();
      for (const c of [...commands, { op: 'take' as const }]) {
        if (c.op === 'put') {
          live.put(c.source, c.intent);
          said.set(`${c.source} ${intentKey(c.intent)}`, c);
        } else if (c.op === 'remove') {
          live.remove(c.source, intentKey(c.intent));
          said.delete(`${c.source} ${intentKey(c.intent)}`);
        } else {
          const dirty = live.takeDirty();
          const now = world(live);
          const differ = [...new Set([...known.keys(), ...now.keys()])].filter(
            (k) => !sameValue(known.get(k), now.get(k)),
          );
          assert.deepEqual([...dirty].sort(), differ.sort(), 'exactly what changed is told');
          known = now;
        }
      }
      const scratch = new Desired(testOutside(), kinds);
      for (const { source, intent } of said.values()) scratch.put(source, intent);
      const wanted = world(scratch);
      assert.deepEqual([...known.keys()].sort(), [...wanted.keys()].sort());
      // Table numbers are given in the order of asking, so they are the outside's and not compared.
      for (const [key, object] of known)
        if (object.kind !== 'vrf') assert.ok(sameValue(object, wanted.get(key)), `${key} differs from scratch`);
      const told = (d: Desired): string[] =>
        d.problems().map((p) => `${p.source} ${p.key} ${p.problem.code} ${p.problem.message}`);
      assert.deepEqual(told(live), told(scratch));
    }),
    { numRuns: 600 },
  );
});
