import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from '@vrouter/drivers/contract/samples.ts';
import { MemoryLedger } from '@vrouter/drivers/linux/ledger.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { StoredIntent } from '../store/store.ts';
import { refuseToSweep } from './strangers.ts';

const links = Array.from({ length: 7 }, (_, i) => s.link({ name: `net${i}` }));
const removals = links.map(s.remove);

function look(steps: readonly Step[], intents: readonly StoredIntent[] = [], ledger = new MemoryLedger()) {
  const store = { intents: () => [...intents], ledger: ledger as never };
  return refuseToSweep({ store, dataFolder: '/srv/empty', dryRun: async () => steps });
}

test('a new data folder does not sweep what another has made; it says which, and how to go on', async () => {
  await assert.rejects(look(removals), (thrown: Error) => {
    assert.match(thrown.message, /net0, net1, net2, net3, net4 and 2 more/);
    assert.match(thrown.message, /\/srv\/empty knows nothing/);
    assert.match(thrown.message, /--take-over/);
    return 'problem' in thrown && (thrown.problem as { code: string }).code === 'intent.held';
  });
});

test('what is made anew, and what is no interface, holds nobody back', async () => {
  await look([]);
  await look([...removals, ...links.map(s.create)]);
  await look([s.remove(s.address())]);
});

test('who has said or made something before is at home', async () => {
  const said = { source: 'cli', key: 'network/blue', body: {} } as unknown as StoredIntent;
  await look(removals, [said]);
  const ledger = new MemoryLedger();
  ledger.set('sysctl/net.ipv4.ip_forward', '0');
  await look(removals, [], ledger);
});
