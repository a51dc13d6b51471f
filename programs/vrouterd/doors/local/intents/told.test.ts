/** What people are told of networks: what keeps them from working, and what outlives them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problem } from '@vrouter/core/problem.ts';
import type { IntentKey } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { blue, name, network, open, port, refusal } from './changes.testing.ts';
import { networkRows } from './networks.ts';
import { intentRows } from './rows.ts';

test('a network tells what keeps it from working, and what others say of it in vain', async (t) => {
  const { change, sees, host, foreign } = await open(t);
  await change(blue);
  await change({ put: [network('green')] });
  host.standing = [{ key: 'isolation/br-blue' as ObjectKey, problem: problem('forward.dropped', 'dropped') }];
  const told = async (id: string) =>
    (await networkRows(sees, id))[0]?.problems.map(({ key, code }) => `${key} ${code}`);
  assert.deepEqual([await told('blue'), await told('green')], [['isolation/br-blue forward.dropped'], []]);
  host.standing = [];
  foreign('file', network('blue', { subnets: [{ prefix: '10.4.0.0/16', gateway: '10.4.0.1' }] }));
  assert.deepEqual(await told('blue'), ['network/blue intent.conflict']);
  // Of the ports and names, their own.
  foreign('file', port(8080, { address: '172.18.0.3' }));
  assert.deepEqual(await told('blue'), [
    'network/blue intent.conflict',
    'publishedPort/default/*/tcp/8080 intent.conflict',
  ]);
  assert.deepEqual(await told('green'), []);
});

test('ports and names of a network that is gone are listed, and can be taken away', async (t) => {
  const { change, sees, it } = await open(t);
  const gone = network('filed', { subnets: [{ prefix: '10.4.0.0/16', gateway: '10.4.0.1' }] });
  const parsed = parseIntent(gone);
  assert.ok(parsed.ok);
  it.desired.put('file', parsed.value);
  await change({ put: [port(9950, { network: 'filed', address: '10.4.0.2' }), name('web', { network: 'filed' })] });
  it.desired.remove('file', 'network/filed' as IntentKey);
  const rows = intentRows(sees, { network: 'filed' });
  assert.deepEqual(
    rows.map(({ key, problems }) => [key, problems[0]?.code]),
    [
      ['publishedPort/default/*/tcp/9950', 'intent.reference'],
      ['dnsName/filed/web', 'intent.reference'],
    ],
  );
  const [code, , message] = await refusal(change({ put: [port(9950)], create: true }));
  assert.equal(code, 'intent.exists');
  assert.match(message, /of network filed, said by vrouterctl: remove it first/);
  await change({ remove: rows.map(({ key }) => key) });
  assert.throws(() => intentRows(sees, { network: 'filed' }), /there is no network filed/);
});
