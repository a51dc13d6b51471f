import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { LinkObject, ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import { Duplicates } from './duplicates.ts';

const link = (type: LinkObject['type']): Observed<LinkObject> => ({
  key: 'link/lan' as ObjectKey,
  object: {
    kind: 'link',
    name: 'lan',
    type,
    vrf: 'default',
    mtu: 1500,
    adminUp: true,
    mssClamp: true,
    sourceCheck: 'off',
  },
  learned: {},
});
const key = 'address/lan/fd88::66/64';

test('a duplicate is told once when it is seen and once when it ends, and stays while the plane is silent', async () => {
  let state: string | null = 'valid';
  let asked = 0;
  const told: string[] = [];
  const duplicates = new Duplicates(
    {
      async neighbours() {
        asked++;
        if (state === null) throw new ProblemError(problem('engine.unreachable', 'away'));
        const addresses = [
          { address: '192.168.1.1/24', state: 'valid', conflicts: 3 },
          { address: 'fd88::66/64', state, conflicts: 1 },
        ];
        return { ports: [{ link: 'lan', mac: null, up: true, addresses }], total: 0, neighbours: [] };
      },
    },
    (found, ended) => told.push(...found.map((one) => `${one.problem.code} ${one.key}`), ...ended),
  );
  const known = (): string[] => [...duplicates.all()].map((one) => one.key);
  await duplicates.look([link('wireguard')]);
  assert.equal(asked, 0, 'without a port nobody is asked');
  for (const [now, knows] of [
    ['tentative', []],
    ['duplicate', [key]],
    ['duplicate', [key]],
    [null, [key]],
    // It is asked for anew, and not ours yet.
    ['tentative', [key]],
    ['valid', []],
  ] as const) {
    state = now;
    await duplicates.look([link('port')]);
    assert.deepEqual(known(), knows, String(now));
  }
  assert.deepEqual(told, [`address.duplicate ${key}`, key]);
  state = 'duplicate';
  await duplicates.look([link('port')]);
  await duplicates.look([]);
  assert.deepEqual(known(), [], 'it goes with its port');
});
