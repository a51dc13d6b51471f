import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '@vrouter/core/problem.ts';
import fc from 'fast-check';
import { World } from '../testing/world.testing.ts';
import type { ControlReply } from './messages.ts';
import { MAX_ACTIONS } from './parse.ts';
import { said } from './said.testing.ts';
import { ControlSession } from './session.ts';

async function ask(session: ControlSession, message: unknown): Promise<{ replies: ControlReply[]; next: string }> {
  const outcome = await session.handle(message);
  return { replies: said(outcome.replies), next: outcome.next };
}

async function refusal(message: unknown): Promise<Problem & { next: string }> {
  const { replies, next } = await ask(new ControlSession(new World().engine), message);
  assert.equal(replies.length, 1);
  const reply = replies[0]!;
  assert.ok(!reply.ok);
  return { ...reply.error, next };
}

test('each method has its reply, under the id of the request', async () => {
  const session = new ControlSession(new World().engine);
  const set = { do: 'vrf.set', name: 'blue', tableId: 7 };
  assert.deepEqual(await ask(session, { id: 5, method: 'apply', actions: [set] }), {
    replies: [{ type: 'reply', id: 5, ok: true, results: [null] }],
    next: 'continue',
  });
  const only = [{ is: 'vrf', name: 'blue' }];
  assert.deepEqual((await ask(session, { id: 6, method: 'dump', only })).replies, [
    { type: 'reply', id: 6, ok: true, rows: [{ is: 'vrf', name: 'blue', tableId: 7 }] },
  ]);
  const [counters] = (await ask(session, { id: 7, method: 'counters' })).replies;
  assert.ok(counters?.ok && 'counters' in counters && counters.counters.epoch === 'test');
  assert.deepEqual(await ask(session, { id: 8, method: 'stop' }), {
    replies: [{ type: 'reply', id: 8, ok: true }],
    next: 'stop',
  });
});

test('a long dump comes in pages', async () => {
  const world = new World();
  await world.do(
    ...Array.from({ length: 2500 }, (_, i) => ({
      do: 'route.set' as const,
      vrf: 'default',
      prefix: `10.${i >> 8}.${i & 255}.0/24`,
      link: null,
      nextHop: null,
    })),
  );
  const { replies } = await ask(new ControlSession(world.engine), { id: 1, method: 'dump' });
  const pages = replies.map((reply) => (reply.ok && 'rows' in reply ? reply : null));
  assert.deepEqual(
    pages.map((page) => [page?.rows.length, page?.more]),
    [...Array.from({ length: 39 }, () => [64, true]), [5, undefined]],
  );
  assert.deepEqual(
    pages.flatMap((page) => page?.rows ?? []),
    world.engine.dump(),
  );
});

test('a malformed action is answered in its place, the others are done', async () => {
  const session = new ControlSession(new World().engine);
  const actions = [
    { do: 'vrf.set', name: 'a', tableId: 1 },
    { do: 'vrf.set', name: 'b' },
    7,
    { do: 'vrf.set', name: 'c', tableId: 3, extra: 1 },
    { do: 'launch' },
    { do: 'vrf.set', name: 'd', tableId: 4 },
  ];
  const [reply] = (await ask(session, { id: 1, method: 'apply', actions })).replies;
  assert.ok(reply?.ok && 'results' in reply);
  assert.deepEqual(
    reply.results.map((result) => (result === null ? null : [result.code, result.field])),
    [
      null,
      ['input.invalid', 'tableId'],
      ['input.invalid', undefined],
      ['input.invalid', 'extra'],
      ['input.invalid', 'do'],
      null,
    ],
  );
  const [dump] = (await ask(session, { id: 2, method: 'dump' })).replies;
  assert.ok(dump?.ok && 'rows' in dump);
  assert.deepEqual(
    dump.rows.map((row) => row.is === 'vrf' && row.name),
    ['default', 'a', 'd'],
  );
});

const peer = { do: 'peer.set', link: 'wg0', publicKey: 'k', allowedIps: [], persistentKeepalive: 0 };
const fields: readonly (readonly [object, string])[] = [
  [{ do: 'vrf.set', name: 1, tableId: 1 }, 'name'],
  [{ do: 'vrf.set', name: 'x'.repeat(257), tableId: 1 }, 'name'],
  [{ do: 'vrf.set', name: 'a', tableId: '1' }, 'tableId'],
  [{ do: 'vrf.remove' }, 'name'],
  [{ do: 'link.set', name: 'a', type: 'vxlan', vrf: 'default', mtu: 1420, adminUp: true }, 'type'],
  [{ do: 'link.set', name: 'a', type: 'wireguard', vrf: null, mtu: 1420, adminUp: true }, 'vrf'],
  [{ do: 'link.set', name: 'a', type: 'wireguard', vrf: 'default', mtu: null, adminUp: true }, 'mtu'],
  [{ do: 'link.set', name: 'a', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: 1 }, 'adminUp'],
  [{ do: 'wireguard.set', link: 'wg0', listenPort: true }, 'listenPort'],
  [{ do: 'wireguard.set', link: 'wg0', listenPort: 1, privateKey: null }, 'privateKey'],
  [{ ...peer, presharedKey: 3 }, 'presharedKey'],
  [{ ...peer, allowedIps: '10.0.0.0/8' }, 'allowedIps'],
  [{ ...peer, allowedIps: ['10.0.0.0/8', 9] }, 'allowedIps[1]'],
  [{ ...peer, endpoint: {} }, 'endpoint'],
  [{ ...peer, endpoint: null, moved: 1 }, 'moved'],
  [{ ...peer, persistentKeepalive: undefined }, 'persistentKeepalive'],
  [{ do: 'address.add', link: 'wg0' }, 'address'],
  [{ do: 'route.set', vrf: 'default', prefix: '::/0', link: 'wg0' }, 'nextHop'],
  [{ do: 'route.set', vrf: 'default', prefix: '::/0', nextHop: null }, 'link'],
  [{ do: 'route.remove', vrf: 'default', prefix: [] }, 'prefix'],
];
for (const [action, field] of fields) {
  test(`the field at fault is named: ${JSON.stringify(action).slice(0, 90)}`, async () => {
    const session = new ControlSession(new World().engine);
    const [reply] = (await ask(session, { id: 1, method: 'apply', actions: [action] })).replies;
    assert.ok(reply?.ok && 'results' in reply);
    assert.deepEqual([reply.results[0]?.code, reply.results[0]?.field], ['input.invalid', field]);
  });
}

test('requests are checked too, and the client may go on', async () => {
  const rows: readonly (readonly [unknown, string | undefined])[] = [
    [{ id: 1 }, 'method'],
    [{ id: 1, method: 'fly' }, 'method'],
    [{ id: 1, method: 'apply' }, 'actions'],
    [{ id: 1, method: 'apply', actions: new Array(MAX_ACTIONS + 1).fill(0) }, 'actions'],
    [{ id: 1, method: 'dump', only: [{ is: 'vrf', name: 'a' }, { is: 'moon' }] }, 'only[1].is'],
    [{ id: 1, method: 'dump', only: [{ is: 'peer', link: 'a' }] }, 'only[0].publicKey'],
    [{ id: 1, method: 'dump', only: [3] }, 'only[0]'],
    [{ id: 1, method: 'counters', verbose: true }, 'verbose'],
  ];
  for (const [message, field] of rows) {
    const { code, field: at, next } = await refusal(message);
    assert.deepEqual([code, at, next], ['input.invalid', field, 'continue'], JSON.stringify(message).slice(0, 90));
  }
});

test('what has no id cannot be answered: the client is sent away', async () => {
  for (const message of [null, 7, 'hello', [], {}, { id: '1' }, { id: -1 }, { id: 1.5 }, { id: 2 ** 60 }]) {
    const { code, next } = await refusal(message);
    assert.deepEqual([code, next], ['engine.protocol', 'close'], JSON.stringify(message));
  }
});

test('a bug behind the session is a reply', async () => {
  const target = new World().engine;
  const session = new ControlSession({
    epoch: 'x',
    apply: (actions) => target.apply(actions),
    look: () => {
      throw new Error('bug');
    },
    natSessions: (limit) => target.natSessions(limit),
    neighbours: (limit) => target.neighbours(limit),
    counters: () => target.counters(),
  });
  const { replies } = await ask(session, { id: 4, method: 'dump' });
  assert.deepEqual(replies, [{ type: 'reply', id: 4, ok: false, error: { code: 'internal', message: 'bug' } }]);
});

test('any JSON at all is answered', async () => {
  const session = new ControlSession(new World().engine);
  const verb = fc.constantFrom(
    'vrf.set',
    'link.set',
    'wireguard.set',
    'peer.set',
    'address.add',
    'route.set',
    'route.remove',
    'link.remove',
  );
  const names = [
    'name',
    'tableId',
    'type',
    'vrf',
    'mtu',
    'adminUp',
    'link',
    'listenPort',
    'publicKey',
    'allowedIps',
    'address',
    'prefix',
    'nextHop',
    '__proto__',
  ];
  const action = fc
    .tuple(verb, fc.dictionary(fc.constantFrom(...names), fc.jsonValue()))
    .map(([name, rest]) => ({ ...rest, do: name }));
  const request = fc.oneof(
    fc.jsonValue(),
    fc.record({ id: fc.nat(), method: fc.constant('apply'), actions: fc.array(fc.oneof(action, fc.jsonValue())) }),
    fc.record({ id: fc.nat(), method: fc.constantFrom('dump', 'counters'), only: fc.jsonValue() }),
  );
  await fc.assert(
    fc.asyncProperty(request, async (message) => {
      const { replies } = await ask(session, message);
      assert.ok(replies.length >= 1);
    }),
    { seed: 24, numRuns: 2000 },
  );
});
