import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problem } from '@vrouter/core/problem.ts';
import { type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import fc from 'fast-check';
import type { Said } from './intents.ts';
import { MemoryIntents } from './memory.testing.ts';
import { RouterState, said } from './state.ts';
import { Client } from './world.testing.ts';

const one = (json: object, note: object): Said => {
  const made = said(json, note);
  assert.ok(made.ok);
  return made.value;
};

const small = fc.integer({ min: 1, max: 4 });
const some: fc.Arbitrary<Said> = fc.oneof(
  fc.tuple(small, fc.boolean()).map(([n, nat]) =>
    one(
      {
        kind: 'network',
        id: `vlan-10${n}`,
        attachment: 'vlan',
        interface: `eth0.10${n}`,
        parent: 'eth0',
        vlanId: 100 + n,
        subnets: [{ prefix: `10.0.${n}.0/24`, gateway: `10.0.${n}.1` }],
        nat,
      },
      { vlanId: 100 + n },
    ),
  ),
  fc
    .tuple(small, small)
    .map(([n, last]) =>
      one({ kind: 'dnsName', network: `vlan-10${n}`, name: 'web', addresses: [`10.0.${n}.${last + 1}`] }, {}),
    ),
  fc
    .tuple(small, small)
    .map(([n, port]) =>
      one({ kind: 'publishedPort', hostPort: n, protocol: 'tcp', address: '10.0.1.2', port }, { vlanId: 100 + port }),
    ),
  small.map((n) => one({ kind: 'masquerade', prefix: `10.${n}.0.0/16` }, { vlanId: n })),
);

const seen = (state: RouterState): object => ({
  vlans: [...state.vlans],
  names: state.names,
  ports: state.ports,
  masquerades: state.masquerades,
  all: state.all(),
});

test('changed step by step it is as it would be read anew', () => {
  const change = fc.record({ put: fc.array(some, { maxLength: 3 }), remove: fc.array(some, { maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(some, { maxLength: 6 }), fc.array(change, { maxLength: 12 }), (before, changes) => {
      const kept = new Map<IntentKey, Said>(before.map((it) => [intentKey(it.intent), it]));
      const state = new RouterState([...kept.values()]);
      for (const { put, remove } of changes) {
        for (const it of remove) kept.delete(intentKey(it.intent));
        for (const it of put) kept.set(intentKey(it.intent), it);
        state.apply({ put, remove: remove.map((it) => intentKey(it.intent)) });
        assert.deepEqual(seen(state), seen(new RouterState([...kept.values()])));
        for (const key of kept.keys()) assert.equal(state.get(key), kept.get(key));
      }
    }),
  );
});

test('a call reads nothing of what was said before anew, unless it went wrong inside', async () => {
  const intents = new MemoryIntents();
  let reads = 0;
  const said = intents.said.bind(intents);
  intents.said = () => {
    reads++;
    return said();
  };
  const client = new Client(intents);
  await client.createVlan(100);
  await client.addPort('tcp', 80, '10.0.100.2:80', 100);
  await client.removePort('tcp', 80);
  await client.addPort('tcp', 80, '10.0.100.0:80', 100);
  intents.failing.set('network/vlan-101', problem('plane.failed', 'no'));
  assert.match((await client.createVlan(101)).error, /plane.failed/);
  const listed = await client.list();
  assert.deepEqual(
    listed.map(({ vlanId }) => vlanId),
    [100],
    'what was taken back is not there',
  );
  assert.equal(client.calls.health().activeVlans, 1);
  // Links of intents in memory look at them too, so before is not one.
  const before = reads;
  await client.addPort('tcp', 81, '10.0.100.2:80', 100);
  await client.deleteVlan(100);
  assert.equal(reads, before);
});
