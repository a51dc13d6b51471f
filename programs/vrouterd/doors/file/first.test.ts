import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HostNetwork, prefixOf } from '@vrouter/intent/compile/overlap.ts';
import { type Intent, intentKey } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { firstOfFile } from './first.ts';

function network(id: string, prefix: string, link = `br-${id}`): Intent {
  const subnets = [{ prefix, gateway: prefix.replace(/0\/.*/, '1') }];
  const parsed = parseIntent({ kind: 'network', id, attachment: 'bridged', interface: link, subnets });
  assert.ok(parsed.ok);
  return parsed.value;
}
const there = (link: string, prefix: string): HostNetwork => ({
  interface: link,
  prefix: prefixOf(prefix),
  isGateway: false,
  isOurs: false,
});

const filed = network('filed', '172.18.4.0/24');
for (const [what, stored, host, isFirst] of [
  [
    'it is there, and a stored one would take its subnet',
    [network('blue', '172.18.0.0/16')],
    ['br-filed 172.18.4.0/24'],
    true,
  ],
  ['nothing is there, as after a boot', [network('blue', '172.18.0.0/16')], [], false],
  ['it is not there', [], ['br-blue 172.18.4.0/24'], false],
  ['its link has another subnet', [], ['br-filed 172.18.0.0/16'], false],
  [
    'a stored one of its subnet is there too',
    [network('blue', '172.18.0.0/16')],
    ['br-filed 172.18.4.0/24', 'br-blue 172.18.0.0/16'],
    false,
  ],
  ['a stored one of its id', [network('filed', '10.1.0.0/24', 'br-x')], ['br-filed 172.18.4.0/24'], false],
  ['a stored one of its link', [network('blue', '10.1.0.0/24', 'br-filed')], ['br-filed 172.18.4.0/24'], false],
] as const)
  test(`a network of the file is said ${isFirst ? 'first' : 'after what is stored'}: ${what}`, () => {
    const rows = host.map((text) => there(...(text.split(' ') as [string, string])));
    const said = stored.map(
      (intent) => ({ source: 'cli', key: intentKey(intent), body: { ...intent } as never }) as const,
    );
    assert.deepEqual(
      firstOfFile([filed], said, () => rows),
      isFirst ? [filed] : [],
    );
  });
