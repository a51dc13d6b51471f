/** What a client asked for, as a change of the source `cli`; or why it cannot be. Nothing is changed here. */
import type { intentChange } from '@vrouter/api/gateway/intents.ts';
import { containsPrefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import {
  type Intent,
  type IntentKey,
  type IntentSource,
  intentKey,
  type NetworkIntent,
  type SourcedIntent,
} from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { z } from 'zod';
import type { ChangeOf } from '../../intents/said.ts';
import type { HostNetwork } from './host-networks.ts';
import { disturbed, type Listener } from './listeners.ts';
import { freeSubnet, overlapOf, prefixOf, type Taken, withSubnets } from './subnets.ts';

export const SOURCE: IntentSource = 'cli';

export type Request = z.output<typeof intentChange>;

export interface Known {
  /** What all sources say. */
  readonly said: readonly SourcedIntent[];
  /** Keys of what is stored of `cli` and cannot be read. */
  readonly unreadable: readonly IntentKey[];
  readonly host: () => readonly HostNetwork[];
  readonly listeners: () => readonly Listener[];
}

export function judge(request: Request, known: Known): Result<ChangeOf<object>> {
  const gone = removals(request, known);
  if (!gone.ok) return gone;
  const remove = new Set(gone.value);
  const stays = known.said.filter(({ source, intent }) => source !== SOURCE || !remove.has(intentKey(intent)));
  // Whose subnets are said anew is seen with the new ones.
  const anew = new Set(request.put.flatMap(({ kind, id }) => (kind === 'network' ? [id] : [])));
  const others = stays.filter(
    ({ source, intent }) => source !== SOURCE || intent.kind !== 'network' || !anew.has(intent.id),
  );
  const put = new Map<IntentKey, Intent>();
  for (const [i, raw] of request.put.entries()) {
    const at = (what: Problem): Result<never> =>
      err({ ...what, field: `put[${i}]${what.field === undefined ? '' : `.${what.field}`}` });
    const taken = (id: unknown): Taken[] => takenBy(id, others, [...put.values()], known);
    const whole = raw.kind === 'network' ? withSubnets(keptSubnets(raw, stays), () => freeSubnet(taken(raw.id))) : raw;
    if ('code' in whole && isProblem(whole)) return at(whole);
    const parsed = parseIntent(whole);
    if (!parsed.ok) return at(parsed.error);
    const intent = parsed.value;
    const key = intentKey(intent);
    if (put.has(key)) return at(problem('input.invalid', `${key} is there twice: say it once`));
    if (remove.has(key)) return at(problem('input.invalid', `${key} is put and removed at once: say one of the two`));
    const wrong = wrongWith(intent, { stays, put: [...put.values()], request, known, taken });
    if (wrong !== null) return at(wrong);
    put.set(key, intent);
  }
  return ok({ put: [...put.values()].map((intent) => ({ intent, note: {} })), remove: [...remove] });
}

function isProblem(value: object): value is Problem {
  return !('kind' in value);
}

/** A network that is there keeps its subnets where none are said. */
function keptSubnets(raw: { readonly [name: string]: unknown }, stays: readonly SourcedIntent[]) {
  if (raw.subnets !== undefined) return raw;
  const own = stays.find(
    ({ source, intent }) => source === SOURCE && intent.kind === 'network' && intent.id === raw.id,
  );
  return own?.intent.kind === 'network' ? { ...raw, subnets: own.intent.subnets } : raw;
}

interface Around {
  readonly stays: readonly SourcedIntent[];
  /** What the same change has put before. */
  readonly put: readonly Intent[];
  readonly request: Request;
  readonly known: Known;
  readonly taken: (id: string) => readonly Taken[];
}

function wrongWith(intent: Intent, { stays, put, request, known, taken }: Around): Problem | null {
  if (intent.kind === 'peerSuccessor')
    return problem('input.invalid', "the succession of keys is the controller's to say", 'kind');
  const key = intentKey(intent);
  const there = stays.filter((one) => intentKey(one.intent) === key);
  if (request.create && there[0] !== undefined)
    return problem('intent.exists', `${key} is there already, said by ${sourceText(there[0].source)}: remove it first`);
  if (intent.kind === 'network') {
    const own = there.find(({ source }) => source === SOURCE)?.intent;
    const before = own?.kind === 'network' ? own.subnets.map(({ prefix }) => prefix) : [];
    return overlapOf(intent, before, taken(intent.id));
  }
  if (intent.kind !== 'publishedPort') return null;
  const networks = [...put, ...stays.map((one) => one.intent)];
  const network = networks.find((one) => one.kind === 'network' && one.id === intent.network);
  const astray = network?.kind === 'network' ? strayed(intent.address, network) : null;
  if (astray !== null || request.force || there.length > 0) return astray;
  const listener = disturbed(known.listeners(), intent);
  if (listener === null) return null;
  const { protocol, address, port } = listener;
  return problem(
    'port.inUse',
    `a program of this host listens at ${protocol} port ${port} of ${address} and would hear nothing more: choose another port, or a host address; force takes it`,
    'hostPort',
  );
}

/** A port that leads out of its network would reach whoever has the address outside. */
function strayed(address: string, { id, subnets }: NetworkIntent): Problem | null {
  const inner = parseInterfaceAddress(address);
  if (inner.ok && subnets.some(({ prefix }) => containsPrefix(prefixOf(prefix), inner.value))) return null;
  const all = subnets.map(({ prefix }) => prefix).join(', ');
  return problem('address.invalid', `${address} is not in network ${id}, which has ${all}`, 'address');
}

/** Subnets that a network of this id cannot have. */
function takenBy(id: unknown, stays: readonly SourcedIntent[], put: readonly Intent[], known: Known): Taken[] {
  const networks = [
    ...stays.map(({ source, intent }) => ({ intent, by: sourceText(source) })),
    ...put.map((intent) => ({ intent, by: 'the same change' })),
  ];
  const links = new Set<string>();
  for (const { intent } of known.said) if (intent.kind === 'network') links.add(intent.interface);
  return [
    ...networks.flatMap(({ intent, by }): Taken[] => {
      if (intent.kind !== 'network' || intent.id === id) return [];
      return intent.subnets.map(({ prefix }) => ({
        prefix: prefixOf(prefix),
        by: `network ${intent.id} (${by})`,
        isWide: false,
        isHost: false,
      }));
    }),
    ...known
      .host()
      .filter((network) => !links.has(network.interface))
      .map(({ interface: name, prefix, isOwn }) => ({
        prefix,
        by: `${name} of this host`,
        isWide: !isOwn,
        isHost: true,
      })),
  ];
}

/** All that goes: what was named, and with `force` what a network takes along. */
function removals({ remove, force }: Request, { said, unreadable }: Known): Result<IntentKey[]> {
  const own = new Set<string>(unreadable);
  for (const { source, intent } of said) if (source === SOURCE) own.add(intentKey(intent));
  const gone = new Set<IntentKey>();
  for (const [i, text] of remove.entries()) {
    if (own.has(text)) {
      gone.add(text as IntentKey);
      continue;
    }
    const other = said.find(({ intent }) => intentKey(intent) === text);
    const why =
      other === undefined
        ? problem('intent.notFound', `there is no ${text} here`, `remove[${i}]`)
        : problem(
            'intent.conflict',
            `${text} is said by ${sourceText(other.source)}, which alone can remove it`,
            `remove[${i}]`,
          );
    return err(why);
  }
  for (const [i, text] of remove.entries()) {
    const users = usersOf(text, said, gone);
    const first = users[0];
    if (first === undefined) continue;
    const foreign = users.find(({ source }) => source !== SOURCE);
    if (force && foreign === undefined) {
      for (const { intent } of users) gone.add(intentKey(intent));
      continue;
    }
    const { source, intent } = foreign ?? first;
    const which = `${intentKey(intent)}${users.length === 1 ? '' : ` and ${users.length - 1} more`}`;
    const what =
      foreign === undefined
        ? 'remove them first; force takes them along'
        : `${intentKey(intent)} is said by ${sourceText(source)}, which has to take it back first`;
    return err(problem('intent.inUse', `${text} is used by ${which}: ${what}`, `remove[${i}]`));
  }
  return ok([...gone]);
}

/** Names and ports of a network, unless another source says the network too. */
function usersOf(key: string, said: readonly SourcedIntent[], gone: ReadonlySet<IntentKey>): readonly SourcedIntent[] {
  if (!key.startsWith('network/')) return [];
  if (said.some(({ source, intent }) => source !== SOURCE && intentKey(intent) === key)) return [];
  const id = key.slice('network/'.length);
  return said.filter(
    ({ source, intent }) =>
      (intent.kind === 'dnsName' || intent.kind === 'publishedPort') &&
      intent.network === id &&
      !(source === SOURCE && gone.has(intentKey(intent))),
  );
}

function sourceText(source: IntentSource): string {
  switch (source) {
    case 'controller':
      return 'the controller';
    case 'file':
      return 'the configuration file';
    case 'cli':
      return 'vrouterctl';
    case 'wg':
      return 'wg(8)';
    case 'router':
      return 'a client of the router service';
  }
}
