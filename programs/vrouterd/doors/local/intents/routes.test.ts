/** `/v1/intents` and `/v1/networks` over HTTP: shapes, statuses, and what the server itself refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changePreview, changeReply, failedChange, intentsReply } from '@vrouter/api/gateway/intents.ts';
import { networkReply, networksReply } from '@vrouter/api/gateway/networks.ts';
import { problem } from '@vrouter/core/problem.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import { StoredIntents } from '../../intents/stored.ts';
import { openWorld, silent } from '../../router/world.testing.ts';
import { bareServer } from '../server.ts';
import { Changes } from './changes.ts';
import { SOURCE } from './known.ts';
import { addIntentRoutes } from './routes.ts';

const blue = { kind: 'network', id: 'blue', attachment: 'bridged', interface: 'br-blue' };
const web = { kind: 'dnsName', network: 'blue', name: 'web', addresses: ['172.18.0.2'] };

function* none(): Generator<never, void, undefined> {}

test('what is said, changed and told', async (t) => {
  const it = await openWorld();
  t.after(() => it.stop());
  const links = async () => null;
  const { desired, reconciler } = it;
  const sees = { desired, reconciler, badIntents: it.parts.badIntents, standing: () => none(), links };
  const intents = new StoredIntents<object>(SOURCE, it.parts);
  const server = bareServer();
  addIntentRoutes(server, sees, new Changes({ intents, sees, log: silent, host: () => [], listeners: () => [] }));
  const ask = async (method: 'GET' | 'PUT', url: string, payload?: object | string) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await server.inject({ method, url, ...(payload === undefined ? {} : { payload, headers }) });
    return { status: answer.statusCode, body: answer.json<unknown>() };
  };
  const codeOf = (body: unknown): string => (body as { error: { code: string } }).error.code;

  assert.deepEqual(intentsReply.parse((await ask('GET', '/v1/intents')).body), { intents: [] });
  const dry = await ask('PUT', '/v1/intents?dryRun=true', { put: [blue, web] });
  assert.equal(changePreview.parse(dry.body).put.length, 2);
  assert.deepEqual((await ask('GET', '/v1/networks')).body, { networks: [] });
  const made = changeReply.parse((await ask('PUT', '/v1/intents', { put: [blue, web], create: true })).body);
  assert.deepEqual(
    made.put.map(({ key }) => key),
    ['network/blue', 'dnsName/blue/web'],
  );
  assert.equal(networksReply.parse((await ask('GET', '/v1/networks')).body).networks.length, 1);
  const { network } = networkReply.parse((await ask('GET', '/v1/networks/blue')).body);
  assert.deepEqual([network.state, network.names[0]?.name, network.source], ['unknown', 'web', 'cli']);
  assert.equal(intentsReply.parse((await ask('GET', '/v1/intents?kind=dnsName&network=blue')).body).intents.length, 1);

  for (const [method, url, payload, status, code] of [
    ['GET', '/v1/networks/green', undefined, 404, 'intent.notFound'],
    ['GET', '/v1/intents?network=green', undefined, 404, 'intent.notFound'],
    ['GET', '/v1/intents?source=nobody', undefined, 400, 'input.invalid'],
    ['GET', '/v1/intents?kind=nope', undefined, 400, 'input.invalid'],
    ['GET', '/v1/networks/%zz', undefined, 400, 'input.invalid'],
    ['GET', '/v1/intents?colour=red', undefined, 400, 'input.invalid'],
    ['PUT', '/v1/intents?dryRun=maybe', {}, 400, 'input.invalid'],
    ['PUT', '/v1/intents', { add: [] }, 400, 'input.invalid'],
    ['PUT', '/v1/intents', '{"put":', 400, 'input.invalid'],
    ['PUT', '/v1/intents', '[]', 400, 'input.invalid'],
    ['PUT', '/v1/intents', { put: [blue], create: true }, 409, 'intent.exists'],
    ['PUT', '/v1/intents', { remove: ['network/blue'] }, 409, 'intent.inUse'],
    ['PUT', '/v1/intents', `{"put":[{"a":"${'x'.repeat(9 << 20)}"}]}`, 413, 'request.tooLarge'],
  ] as const) {
    const { status: actual, body } = await ask(method, url, payload);
    assert.deepEqual([actual, codeOf(body)], [status, code], `${method} ${url}`);
  }

  const plain = { method: 'PUT', url: '/v1/intents', payload: '{"put":[]}' } as const;
  for (const headers of [
    {},
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/x-www-form-urlencoded' },
  ]) {
    const answer = await server.inject({ ...plain, headers });
    const { error } = answer.json<{ error: { code: string; message: string } }>();
    assert.deepEqual([answer.statusCode, error.code], [400, 'input.invalid']);
    assert.match(error.message, /content-type: application\/json/);
  }

  it.driver.faults.fail('link/br-green' as ObjectKey, 1, problem('object.exists', 'there is one'));
  const failed = await ask('PUT', '/v1/intents', { put: [{ ...blue, id: 'green', interface: 'br-green' }] });
  assert.equal(failed.status, 409);
  const { restored, failed: keys } = failedChange.parse(failed.body);
  assert.deepEqual([restored, keys[0]?.key], [true, 'link/br-green']);
});
