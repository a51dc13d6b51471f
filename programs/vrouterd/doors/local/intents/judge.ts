/** What a client asked for, as a change of the source `cli`; or why it cannot be. Nothing is changed here. */
import { containsPrefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { gatewayProblem } from '@vrouter/intent/compile/network.ts';
import { hostText, prefixOf } from '@vrouter/intent/compile/overlap.ts';
import {
  type Intent,
  type IntentKey,
  intentKey,
  type NetworkIntent,
  type PublishedPortIntent,
  type SourcedIntent,
} from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { listenerProblem } from '../../intents/listeners.ts';
import type { ChangeOf } from '../../intents/said.ts';
import { type Known, type Request, SOURCE, sourceText } from './known.ts';
import { removals } from './removals.ts';
import { freeSubnet, overlapOf, type Taken, withSubnets } from './subnets.ts';

type Json = { readonly [name: string]: unknown };

export function judge(request: Request, known: Known): Result<ChangeOf<object>> {
  const gone = removals(request, known);
  if (!gone.ok) return gone;
  const judging = new Judging(request, known, new Set(gone.value));
  for (const [i, raw] of request.put.entries()) {
    const wrong = judging.add(raw);
    if (wrong !== null) return at(i, wrong);
  }
  // Not before all is known, since a port may be said before its network.
  for (const [i, intent] of [...judging.put.values()].entries()) {
    const wrong = judging.wrongInside(intent);
    if (wrong !== null) return at(i, wrong);
  }
  return ok({ put: [...judging.put.values()].map((intent) => ({ intent, note: {} })), remove: gone.value });
}

function at(index: number, what: Problem): Result<never> {
  return err({ ...what, field: `put[${index}]${what.field === undefined ? '' : `.${what.field}`}` });
}

const ifListening = { field: 'hostPort', advice: 'choose another port, or a host address; force takes it' };

/** One change while it is read, intent by intent. */
class Judging {
  readonly put = new Map<IntentKey, Intent>();
  readonly #request: Request;
  readonly #known: Known;
  readonly #remove: ReadonlySet<IntentKey>;
  /** What is said beside the change: by others, and by `cli` what does not go. The eldest first. */
  readonly #stays = new Map<IntentKey, SourcedIntent[]>();
  /** Ids of networks that are said anew: their subnets are seen with the new ones. */
  readonly #anew: ReadonlySet<unknown>;

  constructor(request: Request, known: Known, remove: ReadonlySet<IntentKey>) {
    this.#request = request;
    this.#known = known;
    this.#remove = remove;
    this.#anew = new Set(request.put.flatMap(({ kind, id }) => (kind === 'network' ? [id] : [])));
    for (const one of known.said) {
      const key = intentKey(one.intent);
      if (one.source === SOURCE && remove.has(key)) continue;
      const others = this.#stays.get(key);
      if (others === undefined) this.#stays.set(key, [one]);
      else others.push(one);
    }
  }

  /** Null: it is among what is put. */
  add(raw: Json): Problem | null {
    const whole = raw.kind === 'network' ? this.#withSubnets(raw) : raw;
    if (isProblem(whole)) return whole;
    const parsed = parseIntent(whole);
    if (!parsed.ok) return parsed.error;
    const intent = parsed.value;
    const key = intentKey(intent);
    const there = this.#stays.get(key)?.[0];
    if (this.put.has(key)) return problem('input.invalid', `${key} is there twice: say it once`);
    if (this.#remove.has(key)) return problem('input.invalid', `${key} is put and removed at once: say one of the two`);
    if (this.#request.create && there !== undefined)
      return problem(
        'intent.exists',
        `${key} is there already${ofNetwork(there.intent)}, said by ${sourceText(there.source)}: remove it first`,
      );
    const wrong = this.#wrongWith(intent, there !== undefined);
    if (wrong === null) this.put.set(key, intent);
    return wrong;
  }

  /** Names and ports have a network; a port that leads out of it would reach whoever has the address outside. */
  wrongInside(intent: Intent): Problem | null {
    if ((intent.kind === 'publishedPort' || intent.kind === 'dnsName') && intent.network !== undefined) {
      const key = `network/${intent.network}` as IntentKey;
      const network = this.put.get(key) ?? this.#stays.get(key)?.[0]?.intent;
      if (network?.kind !== 'network')
        return problem('intent.reference', `there is no network ${intent.network}: make it first`, 'network');
      return intent.kind === 'dnsName' || isInside(intent, network) ? null : strayed(intent, network);
    }
    if (intent.kind !== 'network') return null;
    for (const [key, [one]] of this.#stays)
      if (one!.intent.kind === 'publishedPort' && one!.intent.network === intent.id)
        if (!this.put.has(key) && !isInside(one!.intent, intent))
          return problem(
            'intent.inUse',
            `${key} leads to ${one!.intent.address}: remove it in the same change`,
            'subnets',
          );
    return null;
  }

  #wrongWith(intent: Intent, isThere: boolean): Problem | null {
    switch (intent.kind) {
      case 'peerSuccessor':
        return problem('input.invalid', "the succession of keys is the controller's to say", 'kind');
      case 'network': {
        const before = this.#own(intent.id)?.subnets.map(({ prefix }) => prefix) ?? [];
        return overlapOf(intent, before, this.#taken(intent.id));
      }
      case 'publishedPort':
        return isThere || this.#request.force ? null : listenerProblem(this.#known.listeners(), intent, ifListening);
      default:
        return null;
    }
  }

  /** A network that is there keeps its subnets where none are said. */
  #withSubnets(raw: Json): Json | Problem {
    const own = raw.subnets === undefined ? this.#own(raw.id) : undefined;
    if (own !== undefined) return { ...raw, subnets: own.subnets };
    return withSubnets(raw, () => freeSubnet(this.#taken(raw.id)));
  }

  #own(id: unknown): NetworkIntent | undefined {
    const own = this.#stays.get(`network/${id}` as IntentKey)?.find(({ source }) => source === SOURCE)?.intent;
    return own?.kind === 'network' ? own : undefined;
  }

  /** Subnets that a network of this id cannot have. */
  #taken(id: unknown): Taken[] {
    const links = new Set<string>();
    const taken: Taken[] = [];
    const take = ({ id: of, subnets }: NetworkIntent, by: string): void => {
      if (of !== id)
        for (const { prefix } of subnets)
          taken.push({ prefix: prefixOf(prefix), by: `network ${of} (${by})`, isWide: false, isHost: false });
    };
    for (const { intent } of this.#known.said) if (intent.kind === 'network') links.add(intent.interface);
    for (const all of this.#stays.values())
      for (const { source, intent } of all)
        if (intent.kind === 'network' && !(source === SOURCE && this.#anew.has(intent.id)))
          take(intent, sourceText(source));
    for (const intent of this.put.values()) if (intent.kind === 'network') take(intent, 'the same change');
    for (const one of this.#known.host())
      if (!links.has(one.interface))
        taken.push({ prefix: one.prefix, by: hostText(one), isWide: !one.isOwn, isHost: true });
    return taken;
  }
}

/** Of a port, which is removed by its network. */
function ofNetwork(intent: Intent): string {
  return intent.kind === 'publishedPort' && intent.network !== undefined ? `, of network ${intent.network}` : '';
}

/** Whether somebody in the network can have it. */
function isInside({ address }: PublishedPortIntent, { subnets }: NetworkIntent): boolean {
  const inner = parseInterfaceAddress(address);
  return (
    inner.ok &&
    subnets.some(
      ({ prefix, gateway }) =>
        containsPrefix(prefixOf(prefix), inner.value) &&
        gateway !== address &&
        // What no gateway can be, nobody can: the network itself and its broadcast address.
        gatewayProblem({ prefix, gateway: address }, 'address') === null,
    )
  );
}

function strayed({ address }: PublishedPortIntent, { id, subnets }: NetworkIntent): Problem {
  const all = subnets.map(({ prefix }) => prefix).join(', ');
  const why = subnets.some(({ gateway }) => gateway === address)
    ? `is the gateway of network ${id}, which is this host`
    : `is nobody's in network ${id}, which has ${all}`;
  return problem('address.invalid', `${address} ${why}: name the address of a container`, 'address');
}

/** What is no intent: it has no kind. */
function isProblem(value: Json | Problem): value is Problem {
  return 'code' in value && 'message' in value && !('kind' in value);
}
