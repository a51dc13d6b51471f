/** The first river with the fake at its end: intents, dirty keys, differences, steps, and what is then true. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { diffAll, diffKeys } from '@vrouter/intent/diff/diff.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import { type Intent, intentKey } from '@vrouter/intent/model/intents.ts';
import { type ObjectKey, type Observed, objectKey } from '@vrouter/intent/model/objects.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import { testKey, testOutside } from '@vrouter/intent/testing/outside.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import fc from 'fast-check';
import { FakeDriver } from './fake.ts';

const never = new AbortController().signal;

/** A reconcile loop at its smallest. */
class River {
  readonly driver = new FakeDriver();
  readonly desired = new Desired(testOutside(), this.driver.capabilities().kinds);
  readonly observed = new Map<ObjectKey, Observed>();

  /** Looks at what is dirty and makes it so; the steps that were refused. */
  async flow(): Promise<string[]> {
    const differences = diffKeys(
      this.desired.takeDirty(),
      (key) => this.desired.desired(key),
      (key) => this.observed.get(key),
    );
    const steps = plan(differences);
    const results = await this.driver.apply(steps, never);
    for (const { key, now } of results) {
      if (now === null) this.observed.delete(key);
      else this.observed.set(key, now);
    }
    return results.flatMap((r) => (r.ok ? [] : [`${r.key}: ${r.error.message}`]));
  }

  async left(): Promise<number> {
    const seen = await this.driver.observe('all', never);
    return diffAll(this.desired.all(), seen, this.driver.capabilities().builtIn).length;
  }
}

const prefix = fc.constantFrom('10.0.0.0/24', '10.0.0.0/25', '10.0.1.0/24', 'fd00::/64');
const link = fc.constantFrom('wg0', 'wg1');
const vrf = fc.constantFrom('default', 'blue');
const json = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('vrf'), name: vrf }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('gatewayInterface'),
      name: link,
      vrf,
      listenPort: fc.constantFrom(0, 1, 2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('address'),
      interface: link,
      address: fc.constantFrom('10.0.0.1/24', '10.0.1.7/32', 'fd00::1/64'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('peer'),
      interface: link,
      publicKey: fc.constantFrom(testKey(1), testKey(2), testKey(3)),
      presharedKey: fc.constantFrom(null, testKey(9)),
      allowedIps: fc.uniqueArray(prefix),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('route'), vrf, prefix, interface: link }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('route'), vrf, prefix, blackhole: fc.constant(true) }) },
);
const command = fc.record({
  op: fc.constantFrom('put', 'put', 'remove', 'flow'),
  source: fc.constantFrom('controller', 'file'),
  json,
});

test('whatever is said in whatever order: dirty keys alone lead to where the full look would', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 50, size: 'max' }), async (commands) => {
      const river = new River();
      for (const { op, source, json } of commands) {
        const parsed = parseIntent(json);
        assert.ok(parsed.ok, JSON.stringify(parsed));
        if (op === 'put') river.desired.put(source, parsed.value);
        else if (op === 'remove') river.desired.remove(source, intentKey(parsed.value));
        else {
          assert.deepEqual(await river.flow(), []);
          assert.equal(await river.left(), 0);
        }
      }
      assert.deepEqual(await river.flow(), []);
      assert.equal(await river.left(), 0);
      const changes = river.driver.changes;
      assert.deepEqual(await river.flow(), []);
      assert.equal(river.driver.changes, changes, 'nothing dirty, nothing done');
      for (const source of ['controller', 'file'] as const) river.desired.replaceSource(source, []);
      assert.deepEqual(await river.flow(), []);
      assert.equal(river.observed.size, 0);
      assert.equal((await river.driver.observe('all', never)).length, 1, 'the default VRF');
    }),
    { numRuns: 300 },
  );
});

test('one object that the plane refuses holds back no other, and is still a difference', async () => {
  const river = new River();
  const say = (intent: object): void => {
    const parsed = parseIntent(intent);
    assert.ok(parsed.ok);
    river.desired.put('cli', parsed.value satisfies Intent);
  };
  say({ kind: 'gatewayInterface', name: 'wg0', listenPort: 1 });
  for (const n of [1, 2, 3])
    say({ kind: 'peer', interface: 'wg0', publicKey: testKey(n), allowedIps: [`10.0.0.${n}`] });
  const bad = `wireguardPeer/wg0/${testKey(2)}` as ObjectKey;
  river.driver.faults.fail(bad, 1);
  assert.equal((await river.flow()).length, 1);
  const left = diffAll(river.desired.all(), river.observed.values(), ['vrf/default' as ObjectKey]);
  assert.deepEqual(
    left.map((d) => d.key),
    [bad],
  );
  assert.equal((await river.driver.apply(plan(left), never))[0]!.ok, true);
  assert.equal(await river.left(), 0);
  assert.equal(river.desired.size, [...river.desired.all()].length);
  assert.ok([...river.desired.all()].some((object) => objectKey(object) === bad));
});
