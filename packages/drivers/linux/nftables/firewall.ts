/**
 * What the kernel's nftables do for us: published ports, masquerades, floating addresses, isolation of links, MSS clamps and source checks.
 * One table, `inet vrouter`, whose rules are there once; an object is some elements of its sets, so that the thousandth costs what the first
 * did. Each change is one transaction. Tables of others are never touched. First read README.md.
 */
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import { type NatRuleObject, type ObjectKey, type Observed, objectKey } from '@vrouter/intent/model/objects.ts';
import type { Refusal } from '../netlink/answers.ts';
import type { Conversation } from '../netlink/conversation.ts';
import { beginBatch, endBatch } from '../netlink/nftables/batch.ts';
import { readNews } from '../netlink/nftables/news.ts';
import { holdTable } from '../netlink/nftables/table.ts';
import { Errno, refusalProblem } from '../netlink/refusal.ts';
import type { NetlinkSocket, Refused } from '../netlink/requests.ts';
import { cellId, type FirewallObject, type LinkTraits, linkCells, objectCells, type Wanted } from './cells.ts';
import { type Counts, countsOfAll, countsOfSome, learnedOf } from './counts.ts';
import { canHold } from './holding.ts';
import { generationOf, loadState, poolNameOf } from './load.ts';
import { readObject, readTraits } from './objects.ts';
import { isEmptyAfter, planChanges, settle } from './plan.ts';
import { cutFlows, cutUntranslated, type IsOwn, natSessions, type Session } from './sessions.ts';
import { TABLE } from './shape.ts';
import type { TableState } from './state.ts';

export type FirewallStep =
  /** Make it so, whatever stands under its key. */
  | { readonly op: 'set'; readonly object: FirewallObject }
  | { readonly op: 'delete'; readonly object: FirewallObject }
  /** What is asked of a link, which need not be there; null: nothing any more. */
  | { readonly op: 'link'; readonly name: string; readonly traits: LinkTraits | null };

export interface FirewallSeen {
  readonly objects: readonly Observed<FirewallObject>[];
  readonly links: ReadonlyMap<string, LinkTraits>;
}

/** Somebody else changed something in between this often: it is too busy. */
const TRIES = 50;
/** More than this are two transactions: about 20,000 ports. */
const TRANSACTION_BYTES = 8 << 20;
const NO_CHANGES = new Map<string, null>();

export class Firewall {
  readonly #kernel: Conversation;
  readonly #news: NetlinkSocket | null;
  /** Whether we have the table for ourselves; null: the kernel has not been asked yet. */
  #holds: boolean | null;
  #state: TableState | null;
  #busy: Promise<unknown>;

  /**
   * `kernel`: a socket of NETLINK_NETFILTER that can send a few megabytes at once. `news`: another one, in the group NFNLGRP_NFTABLES;
   * without it the table is read again whenever anybody changed any table. `hold`: nobody else changes the table while `kernel` is open,
   * and it stays when it is closed, where the kernel can do that.
   */
  constructor(kernel: Conversation, news: NetlinkSocket | null = null, hold = false) {
    this.#kernel = kernel;
    this.#news = news;
    this.#holds = hold ? null : false;
    this.#state = null;
    this.#busy = Promise.resolve();
  }

  /**
   * Does all of them at once, as one transaction (two, when there are tens of thousands); what the kernel or the others have against one is told in its place, null for done, and
   * holds back no other. Rejects with ProblemError `plane.failed` when nobody knows what was done, and `object.exists` when somebody else
   * has a table of our name.
   */
  apply(steps: readonly FirewallStep[]): Promise<(Problem | null)[]> {
    return this.#alone(async () => {
      const problems: (Problem | null)[] = steps.map(() => null);
      const wanted = steps.map((step, i) => {
        const result = wantedOf(step);
        if (result instanceof ProblemError) problems[i] = result.problem;
        return result instanceof ProblemError ? null : result;
      });
      await this.#applySome(
        steps
          .map((step, i) => ({ index: i, owner: ownerOf(step), wanted: wanted[i]! }))
          .filter(({ index }) => problems[index] === null),
        problems,
      );
      return problems;
    });
  }

  /** All there is, read from the kernel where somebody else may have changed it. Throws ProblemError. */
  observe(): Promise<FirewallSeen> {
    return this.#alone(async () => {
      const state = await this.#fresh();
      const counts = state.exists ? await countsOfAll(this.#kernel, state) : new Map();
      const objects: Observed<FirewallObject>[] = [];
      const links = new Map<string, LinkTraits>();
      for (const owner of state.owners.keys()) {
        if (owner.startsWith('link/')) {
          const traits = traitsOf(state, owner);
          if (traits !== null) links.set(owner.slice('link/'.length), traits);
        } else objects.push(...observedOf(state, owner, counts));
      }
      return { objects, links };
    });
  }

  /** Those of the objects that are there. */
  observeKeys(keys: readonly ObjectKey[]): Promise<Observed<FirewallObject>[]> {
    return this.#alone(async () => {
      const state = await this.#fresh();
      const counts = await countsOfSome(this.#kernel, state, keys);
      return keys.flatMap((key) => observedOf(state, key, counts));
    });
  }

  /** What is asked of those of the links of which something is. */
  observeLinks(names: readonly string[]): Promise<ReadonlyMap<string, LinkTraits>> {
    return this.#alone(async () => {
      const state = await this.#fresh();
      const rows = names.map((name) => [name, traitsOf(state, `link/${name}`)] as const);
      return new Map(rows.filter((row): row is [string, LinkTraits] => row[1] !== null));
    });
  }

  /**
   * Ends the flows that came in by published ports or floating addresses that were as the rules say, or went out by such masquerades, and no
   * others; those of a rule that is gone or changed live on otherwise. Returns how many. Throws ProblemError.
   */
  cut(rules: readonly NatRuleObject[]): Promise<number> {
    return cutFlows(this.#kernel, rules);
  }

  /**
   * Ends the flows of UDP that began before these ports were published, and would go by them for ever, and no others: `own` tells what was sent
   * to the host. Returns how many. Throws ProblemError.
   */
  cutEarlier(rules: readonly NatRuleObject[], own: () => Promise<IsOwn>): Promise<number> {
    return cutUntranslated(this.#kernel, rules, own);
  }

  /** Flows whose addresses are translated, by anybody on this host. Throws ProblemError. */
  sessions(limit: number): Promise<readonly Session[]> {
    return natSessions(this.#kernel, limit);
  }

  async #applySome(steps: readonly Prepared[], problems: (Problem | null)[]): Promise<void> {
    let left = steps;
    for (let tries = 0; left.length > 0; tries++) {
      if (tries > TRIES + steps.length) throw tooBusy();
      const state = await this.#fresh(tries > 0);
      left = this.#withoutClashes(state, left, problems);
      const changes = new Map(left.map(({ owner, wanted }) => [owner, wanted]));
      const planned = planChanges(state, changes, await this.#holding());
      const messages = planned.map(({ message }) => message);
      if (left.length > 1 && messages.reduce((sum, { length }) => sum + length, 0) > TRANSACTION_BYTES) {
        await this.#applyHalves(left, problems);
        return;
      }
      const refused = await this.#transact(state.generation, messages);
      if (refused.length === 0) {
        settle(state, changes);
        if (messages.length > 0) state.generation = nextGeneration(state.generation);
        return;
      }
      // Somebody was faster: what he did is looked at.
      if (refused.some(({ refusal }) => refusal.errno === Errno.ERESTART)) continue;
      this.#state = null;
      const blamed = new Map<string, Problem>();
      for (const { index, refusal } of refused) {
        const owner = planned[index]?.owner ?? null;
        if (owner !== null && !blamed.has(owner)) blamed.set(owner, tableProblem(refusal, owner));
      }
      const known = left.filter(({ owner }) => blamed.has(owner));
      for (const { index, owner } of known) problems[index] = blamed.get(owner)!;
      if (known.length > 0) left = left.filter(({ owner }) => !blamed.has(owner));
      else if (left.length === 1) {
        problems[left[0]!.index] = tableProblem(refused[0]!.refusal, left[0]!.owner);
        return;
      } else {
        // Whose fault it is, the kernel does not say.
        await this.#applyHalves(left, problems);
        return;
      }
    }
  }

  async #applyHalves(steps: readonly Prepared[], problems: (Problem | null)[]): Promise<void> {
    const half = steps.length >> 1;
    await this.#applySome(steps.slice(0, half), problems);
    await this.#applySome(steps.slice(half), problems);
  }

  async #transact(generation: number, messages: readonly Uint8Array[]): Promise<readonly Refused[]> {
    try {
      return await this.#kernel.transact(beginBatch(generation), messages, endBatch());
    } catch (thrown) {
      // Nobody knows what was done.
      this.#state = null;
      throw thrown;
    }
  }

  /** Those that can be done together with the others; of two that want the same element the first has it. */
  #withoutClashes(state: TableState, steps: readonly Prepared[], problems: (Problem | null)[]): readonly Prepared[] {
    let left = steps;
    for (;;) {
      const changes = new Map(left.map(({ owner, wanted }) => [owner, wanted]));
      const refused = clashes(state, changes);
      if (refused.size === 0) return left;
      for (const { index, owner } of left) problems[index] = refused.get(owner) ?? problems[index]!;
      left = left.filter(({ owner }) => !refused.has(owner));
    }
  }

  /** The state, known to be the kernel's now; `sure` leaves the check to the next transaction. */
  async #fresh(check = true): Promise<TableState> {
    if (this.#state !== null && !check) return this.#state;
    if (this.#state !== null) {
      const generation = await generationOf(this.#kernel);
      if (generation === this.#state.generation) return this.#state;
      if (this.#othersOnly(generation)) {
        this.#state.generation = generation;
        return this.#state;
      }
    }
    // If it cannot be read, nothing is known.
    this.#state = null;
    this.#state = await this.#load();
    return this.#state;
  }

  /** Rules are nobody's object, so nobody asks for them again: where somebody has been at them, they are mended at once. */
  async #load(): Promise<TableState> {
    for (let tries = 0; tries < TRIES; tries++) {
      const state = await loadState(this.#kernel, (generation) => this.#othersOnly(generation));
      if (!state.exists) return state;
      const messages = await this.#mending(state);
      if (messages.length === 0) return state;
      const [refused] = await this.#transact(state.generation, messages);
      if (refused === undefined) {
        settle(state, NO_CHANGES);
        state.holder = this.#holds === true ? this.#kernel.port : null;
        state.generation = nextGeneration(state.generation);
        return state;
      }
      if (refused.refusal.errno !== Errno.ERESTART)
        throw new ProblemError(refusalProblem(refused.refusal, `nftables: the table ${TABLE}`));
    }
    throw tooBusy();
  }

  /** What makes the table as it should stand, with what it holds. */
  async #mending(state: TableState): Promise<readonly Uint8Array[]> {
    const hold = await this.#holding();
    if (hold && state.holder !== null && state.holder !== this.#kernel.port)
      throw new ProblemError(
        problem(
          'object.exists',
          `nftables: the table "inet ${TABLE}" is in the hands of another program: end that first`,
        ),
      );
    // One that would go with us is made anew, and one of nobody goes.
    if (isEmptyAfter(state, NO_CHANGES) || !state.whole || (hold && !state.persists))
      return planChanges(Object.assign(state, { whole: false }), NO_CHANGES, hold).map(({ message }) => message);
    return hold && state.holder === null ? [holdTable(TABLE)] : [];
  }

  async #holding(): Promise<boolean> {
    this.#holds ??= await canHold(this.#kernel);
    return this.#holds;
  }

  /** Whether all that has been changed, up to a generation, was in tables of others. */
  #othersOnly(generation: number): boolean {
    if (this.#news === null) return false;
    let only = true;
    let told: number | null = null;
    try {
      for (let datagram = this.#news.receive(); datagram !== null; datagram = this.#news.receive()) {
        const news = readNews(datagram, TABLE);
        told = news.generation ?? told;
        for (const port of news.touchedBy) if (port !== this.#kernel.port) only = false;
      }
    } catch {
      // Some news are lost.
      return false;
    }
    // A change has its number a moment before it is told.
    return only && told === generation;
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#busy.then(work);
    this.#busy = turn.catch(() => {});
    return turn;
  }
}

/** What the table itself, and not the object, is refused for. */
function tableProblem(refusal: Refusal, owner: string): Problem {
  const failed = refusalProblem(refusal, `nftables: ${owner}`);
  if (refusal.errno !== Errno.ENOENT) return failed;
  const needed =
    'nf_tables with NAT, masquerade, fib and connection tracking (modules nft_chain_nat, nft_masq, nft_fib_inet, nft_ct)';
  return { ...failed, message: `${failed.message}: this kernel lacks some of ${needed}` };
}

interface Prepared {
  readonly index: number;
  readonly owner: string;
  readonly wanted: Wanted | null;
}

function ownerOf(step: FirewallStep): string {
  return step.op === 'link' ? `link/${step.name}` : objectKey(step.object);
}

function wantedOf(step: FirewallStep): Wanted | null | ProblemError {
  if (step.op === 'delete') return null;
  if (step.op === 'link') return step.traits && linkCells(step.name, step.traits);
  const wanted = objectCells(step.object);
  return wanted.ok ? wanted.value : new ProblemError(wanted.error);
}

/** Owners that cannot be as they are wanted: an element is another's, a pool is not there, or is still in use. */
function clashes(state: TableState, changes: ReadonlyMap<string, Wanted | null>): Map<string, Problem> {
  const refused = new Map<string, Problem>();
  const claims = new Map<string, string>();
  const pools = new Set<string>();
  for (const wanted of changes.values()) if (wanted?.pool) pools.add(wanted.pool.id);
  for (const [owner, wanted] of changes) {
    if (wanted === null) {
      const user = poolUser(state, changes, owner);
      if (user !== null) refused.set(owner, problem('object.dependency', `${owner} is in use by ${user}`));
      continue;
    }
    if (wanted.uses !== null && !pools.has(wanted.uses) && !poolStays(state, changes, wanted.uses))
      refused.set(owner, problem('object.dependency', `${owner}: there is no such pool`, 'to.pool'));
    for (const { set, key } of wanted.cells) {
      const id = cellId(set, key);
      const holder = claims.get(id) ?? state.holderOf(id);
      const isFree = holder === undefined || holder === owner || (!claims.has(id) && changes.has(holder));
      if (!isFree) refused.set(owner, problem('object.exists', `${owner} wants what ${holder} has`, 'match'));
      else claims.set(id, owner);
    }
  }
  return refused;
}

function poolStays(state: TableState, changes: ReadonlyMap<string, Wanted | null>, id: string): boolean {
  const pool = state.structure.pools.get(id);
  return pool !== undefined && changes.get(`natPool/${pool.name}`) !== null;
}

/** Who uses a pool that is to go, after all changes; null: nobody, or it is no pool. */
function poolUser(state: TableState, changes: ReadonlyMap<string, Wanted | null>, owner: string): string | null {
  if (!owner.startsWith('natPool/')) return null;
  for (const [id, { name }] of state.structure.pools) {
    if (owner !== `natPool/${name}`) continue;
    for (const user of state.poolUsers(id)) if (!changes.has(user)) return user;
    for (const [user, wanted] of changes) if (wanted?.uses === id) return user;
  }
  return null;
}

function observedOf(state: TableState, owner: string, counts: ReadonlyMap<string, Counts>): Observed<FirewallObject>[] {
  const held = state.owners.get(owner);
  if (held === undefined || state.damaged.has(owner)) return [];
  const object = readObject(owner, [...held.cells.values()], poolNameOf(state));
  return object === null ? [] : [{ key: objectKey(object), object, learned: learnedOf(object, counts.get(owner)) }];
}

function traitsOf(state: TableState, owner: string): LinkTraits | null {
  const held = state.owners.get(owner);
  return held === undefined || state.damaged.has(owner) ? null : readTraits([...held.cells.values()]);
}

/** It goes round past 32 bits, and is never 0. */
function nextGeneration(generation: number): number {
  return generation === 0xffff_ffff ? 1 : generation + 1;
}

function tooBusy(): ProblemError {
  return new ProblemError(problem('plane.failed', 'nftables: somebody changes the rules faster than we can'));
}
