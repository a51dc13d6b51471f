/** What is said on this host, over a store, an index, the loop and a plane in memory: for tests. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type IntentChange, intentChange } from '@vrouter/api/gateway/intents.ts';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, ProblemError } from '@vrouter/core/problem.ts';
import type { IntentSource } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { Listener } from '../../intents/listeners.ts';
import { StoredIntents } from '../../intents/stored.ts';
import { openWorld, type StoredWorld, silent } from '../../router/world.testing.ts';
import { ChangeFailed, Changes } from './changes.ts';
import type { HostNetwork } from './host-networks.ts';
import { SOURCE } from './known.ts';
import { intentRows } from './rows.ts';

const never = new AbortController().signal;

export interface Host {
  networks: HostNetwork[];
  listeners: Listener[];
  standing: { key: ObjectKey; problem: Problem }[];
}

export const own = (name: string, text: string, isOwn = true): HostNetwork => {
  const prefix = parsePrefix(text);
  assert.ok(prefix.ok);
  return { interface: name, prefix: prefix.value, isOwn, isGateway: false };
};

export async function open(t: TestContext, path?: string) {
  const it = await openWorld(path);
  t.after(() => it.stop());
  return { it, ...over(it) };
}

export function over(it: StoredWorld, planeMs = 2000) {
  const host: Host = { networks: [], listeners: [], standing: [] };
  const sees = {
    desired: it.desired,
    reconciler: it.reconciler,
    badIntents: it.parts.badIntents,
    standing: function* () {
      yield* host.standing;
    },
    links: async () => null,
  };
  const intents = new StoredIntents<object>(SOURCE, it.parts);
  const changes = new Changes({
    intents,
    sees,
    log: silent,
    host: () => host.networks,
    listeners: () => host.listeners,
    planeMs,
  });
  const change = (request: IntentChange) => changes.change(intentChange.parse(request));
  const preview = (request: IntentChange) => changes.preview(intentChange.parse(request));
  const keys = (): string[] => intentRows(sees, {}).map(({ key, source }) => `${source} ${key}`);
  const plane = async (): Promise<string[]> =>
    (await it.driver.observe('all', never)).map(({ object }) => JSON.stringify(object)).sort();
  const foreign = (source: IntentSource, json: object): void => {
    const parsed = parseIntent(json);
    assert.ok(parsed.ok);
    it.desired.put(source, parsed.value);
    it.reconciler.kick();
  };
  return { host, sees, change, preview, keys, plane, foreign };
}

export const network = (id: string, more: object = {}) => ({
  kind: 'network',
  id,
  attachment: 'bridged',
  interface: `br-${id}`,
  ...more,
});
export const port = (hostPort: number, more: object = {}) => ({
  kind: 'publishedPort',
  network: 'blue',
  protocol: 'tcp',
  hostPort,
  address: '172.18.0.2',
  port: 80,
  ...more,
});
export const name = (text: string, more: object = {}) => ({
  kind: 'dnsName',
  network: 'blue',
  name: text,
  addresses: ['172.18.0.2'],
  ...more,
});

/** Code and field of the refusal. */
export async function refusal(
  work: Promise<unknown>,
): Promise<[code: string, field: string | undefined, message: string]> {
  try {
    await work;
  } catch (thrown) {
    assert.ok(thrown instanceof ProblemError && !(thrown instanceof ChangeFailed), String(thrown));
    const { code, field, message } = thrown.problem;
    return [code, field, message];
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

export const blue = { put: [network('blue'), name('web', { aliases: ['www'] }), port(8080)], create: true };
