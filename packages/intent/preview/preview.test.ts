import assert from 'node:assert/strict';
import test from 'node:test';
import { type Intent, intentKey, type PeerIntent } from '../model/intents.ts';
import { formatPlan } from '../plan/format.ts';
import { testKey } from '../testing/outside.ts';
import { type IntentOp, type Preview, previewing } from './preview.ts';
import { stepText } from './words.ts';

const gateway: Intent = {
  kind: 'gatewayInterface',
  name: 'wg0',
  type: 'wireguard',
  vrf: 'default',
  listenPort: 51820,
  mtu: 1420,
  mssClamp: 'auto',
  sourceCheck: 'off',
};
const peer = (n: number, over: Partial<PeerIntent> = {}): PeerIntent => ({
  kind: 'peer',
  interface: 'wg0',
  publicKey: testKey(n),
  name: `p${n}`,
  presharedKey: null,
  allowedIps: [`10.0.${n >> 8}.${n & 255}/32`],
  endpoint: null,
  persistentKeepalive: 0,
  ...over,
});
const put = (intent: Intent): IntentOp => ({ key: intentKey(intent), intent });
const remove = (intent: Intent): IntentOp => ({ key: intentKey(intent), intent: null });
const fingerprint = (bytes: Uint8Array): string => bytes.toHex();

function preview(before: readonly Intent[], ops: readonly IntentOp[]): Preview & { readonly breaths: number } {
  const work = previewing(before, ops, fingerprint);
  for (let breaths = 0; ; breaths++) {
    const { done, value } = work.next();
    if (done === true) return { ...value, breaths };
  }
}

test('the steps are those of the change alone', () => {
  const { steps, problems } = preview([gateway, peer(1), peer(2)], [remove(peer(1)), put(peer(3))]);
  assert.deepEqual(
    steps.map(({ op, key, effect }) => `${op} ${key} ${effect}`),
    [
      `delete wireguardPeer/wg0/${testKey(1)} interrupt`,
      `create wireguardPeer/wg0/${testKey(3)} none`,
      'create route/default/10.0.0.3/32 none',
      'delete route/default/10.0.0.1/32 interrupt',
    ],
  );
  assert.deepEqual(problems, []);
});

test('nothing new is no step, and what is said in whatever order comes to the same', () => {
  assert.deepEqual(preview([peer(1), gateway], [put(gateway), put(peer(1))]).steps, []);
  const change = [put(peer(1, { presharedKey: testKey(9) }))];
  const [one, other] = [preview([gateway, peer(1)], change), preview([peer(1), gateway], change)];
  assert.equal(formatPlan(one.steps), formatPlan(other.steps));
  assert.equal(one.steps[0]!.effect, 'rehandshake');
});

test('a problem is told, and whether it is of this change', () => {
  const twice = peer(2, { allowedIps: ['10.0.0.1/32'] });
  const astray: Intent = {
    kind: 'route',
    vrf: 'blue',
    prefix: '10.9.0.0/16',
    interface: null,
    nextHop: null,
    blackhole: true,
  };
  const { problems } = preview([gateway, astray, peer(1)], [put(twice)]);
  assert.deepEqual(
    problems.map(({ key, isNew, problem }) => [key, problem.code, isNew]),
    [
      [intentKey(astray), 'intent.reference', false],
      [intentKey(twice), 'intent.conflict', true],
    ],
  );
});

test('one bad intent holds back no other, and what waited for a VRF comes with it', () => {
  const astray: Intent = {
    kind: 'route',
    vrf: 'blue',
    prefix: '10.9.0.0/16',
    interface: null,
    nextHop: null,
    blackhole: true,
  };
  const { steps, problems } = preview([gateway, astray], [put({ kind: 'vrf', name: 'blue' })]);
  assert.deepEqual(
    steps.map(({ op, key }) => `${op} ${key}`),
    ['create vrf/blue', 'create route/blue/10.9.0.0/16'],
  );
  assert.deepEqual(problems, []);
});

test('thousands of intents are looked at with a breath for every hundred', () => {
  const many = Array.from({ length: 2000 }, (_, n) => peer(n));
  const { steps, breaths } = preview([gateway, ...many], [remove(peer(7))]);
  assert.equal(steps.length, 2);
  assert.ok(breaths > 2000 / 100, `${breaths}`);
});

test('no sentence has a secret in it', () => {
  const secrets = [testKey(500), testKey(501)];
  const ops = [put(peer(1, { presharedKey: secrets[1]! })), put(peer(2, { presharedKey: secrets[0]! }))];
  const { steps } = preview([gateway, peer(1, { presharedKey: secrets[0]! })], ops);
  const text = steps.map((step) => stepText(step, () => null)).join('\n');
  assert.match(text, /presharedKey: another/);
  const hex = secrets.map((secret) => Uint8Array.fromBase64(secret).toHex());
  for (const secret of [...secrets, ...hex]) assert.ok(!text.includes(secret), text);
});
