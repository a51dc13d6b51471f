import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Observed, objectKey, type WireguardPeerObject } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { withSaidAnew } from './said-anew.ts';

const peer: WireguardPeerObject = {
  kind: 'wireguardPeer',
  link: 'wg0',
  publicKey: 'k',
  presharedKey: null,
  allowedIps: [],
  endpoint: '192.0.2.1:1',
  persistentKeepalive: 0,
};
const key = objectKey(peer);
const before = { ...peer, endpoint: '192.0.2.9:9' };
const there = new Map<typeof key, Observed>([[key, { key, object: before, learned: {} }]]);
const anew = new Map([[key, 'endpoint']]);
const create: Step = { op: 'create', key, object: peer, effect: 'none' };
const update: Step = { op: 'update', key, object: peer, before, changed: ['persistentKeepalive'], effect: 'none' };
const remove: Step = { op: 'delete', key, before, effect: 'interrupt' };

const rows: readonly [name: string, steps: Step[], observed: typeof there, expected: Step[]][] = [
  ['a step of its own', [], there, [{ ...update, changed: ['endpoint'] }]],
  ['in the update that is there', [update], there, [{ ...update, changed: ['persistentKeepalive', 'endpoint'] }]],
  ['a creation has it already', [create], new Map(), [create]],
  ['what goes needs none', [remove], there, [remove]],
  ['what is not there is not updated', [], new Map(), []],
];
for (const [name, steps, observed, expected] of rows) {
  test(`said anew: ${name}`, () => {
    assert.deepEqual(
      withSaidAnew(steps, anew, () => peer, observed),
      expected,
    );
  });
}
