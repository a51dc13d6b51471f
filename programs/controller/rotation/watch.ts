/**
 * What happens by itself: gateways tell that next keys were heard, or that they heard of their end first; time passes. Every controller
 * does it for all vrouters; the row of the vrouter is taken first, so each step is made once, by whoever comes first.
 */
import { type PollRequest, SUCCEEDED_MAX } from '@vrouter/api/agent/agent.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { successorKey } from '@vrouter/intent/model/intents.ts';
import type { FastifyBaseLogger } from 'fastify';
import type { Gateway } from '../agents/gateway.ts';
import type { Head } from '../desired/head.ts';
import type { Actor } from '../desk/actor.ts';
import type { Desk } from '../desk/desk.ts';
import { INTERFACE } from '../desk/status.ts';
import { type OpenCount, openCounts, openRotationOf, openRotationsOf, rotationById } from '../store/rotations.ts';
import { deadlineOf, type Overlap } from './machine.ts';
import { OF_THE_JOB, overlapOf, tellSwitched, Work } from './work.ts';

export class RotationWatch {
  readonly #desk: Desk;
  readonly #log: FastifyBaseLogger;
  /** Vrouters that are being worked on for a poll; the next one tells the same again. */
  readonly #busy = new Set<string>();
  /** Keys that are being taken back, of a version of a vrouter, so that a poll need not look for them. */
  readonly #closed = new WeakMap<Head, { readonly version: number; readonly keys: readonly string[] }>();
  #ticking: Promise<void> | null = null;

  constructor(desk: Desk, log: FastifyBaseLogger) {
    this.#desk = desk;
    this.#log = log;
  }

  /** Takes in what a poll tells. The poll does not wait for it. */
  hear(gateway: Gateway, head: Head, request: PollRequest): void {
    void this.heard(gateway, head, request).catch((err) =>
      this.#log.warn({ err }, 'cannot note for now which peers have changed their keys; the next poll tells it again'),
    );
  }

  /** The same, to be waited for. */
  async heard(gateway: Gateway, head: Head, request: PollRequest): Promise<void> {
    const told = (request.succeeded ?? []).filter(
      (one) => one.interface === INTERFACE && head.bodies.has(successorKey(INTERFACE, one.publicKey)),
    );
    const settled = hasAllSaid(head, request) ? this.#closedKeys(head) : [];
    const { id } = head.row;
    if ((told.length === 0 && settled.length === 0) || this.#busy.has(id)) return;
    this.#busy.add(id);
    try {
      await this.#note(gateway, head, told, settled, request.storedVersion);
    } finally {
      this.#busy.delete(id);
    }
  }

  async #note(
    gateway: Gateway,
    { row: { id, name } }: Head,
    told: NonNullable<PollRequest['succeeded']>,
    settled: readonly string[],
    storedVersion: number,
  ): Promise<void> {
    const actor: Actor = { name: gateway.id, tokenId: null, source: null };
    const { value, version } = await this.#desk.desired.change(
      name,
      actor,
      'rotation.hear',
      async (tx, draft, head) => {
        const work = new Work(this.#desk, tx, draft, head, actor);
        const rotations = new Set<string>();
        for (const { publicKey, rotation } of told) {
          const entry = await openRotationOf(tx, id, publicKey);
          // Another controller was faster, or it is of an earlier rotation.
          if (entry?.rotationId !== rotation) continue;
          await work.promote(entry, false);
          rotations.add(rotation);
        }
        const taken = new Set(told.map(({ publicKey }) => publicKey));
        for (const publicKey of settled) {
          const entry = taken.has(publicKey) ? undefined : await openRotationOf(tx, id, publicKey);
          if (entry?.state !== 'withdrawing' || storedVersion < (entry.withdrawnVersion ?? 0)) continue;
          await work.settle(entry);
        }
        for (const rotationId of rotations) {
          const rotation = await rotationById(tx, id, rotationId);
          if (rotation !== undefined) await work.advance(rotation);
        }
        return work.switched;
      },
    );
    tellSwitched(this.#desk, name, value, version);
  }

  #closedKeys(head: Head): readonly string[] {
    const known = this.#closed.get(head);
    if (known?.version === head.version) return known.keys;
    const keys = head.intents('peerSuccessor').flatMap(({ publicKey, open }) => (open ? [] : [publicKey]));
    this.#closed.set(head, { version: head.version, keys });
    return keys;
  }

  /** Offers what has its turn, and ends what is over its time. A second call waits for the first. */
  async tick(): Promise<void> {
    this.#ticking ??= this.#tick().finally(() => {
      this.#ticking = null;
    });
    return this.#ticking;
  }

  async #tick(): Promise<void> {
    for (const vrouterId of await this.#dueVrouters()) {
      const head = await this.#desk.desired.find(vrouterId);
      if (head === undefined) continue;
      const { name } = head.row;
      try {
        const { value, version } = await this.#desk.desired.change(
          name,
          OF_THE_JOB,
          'rotation.advance',
          async (tx, draft, now) => {
            const work = new Work(this.#desk, tx, draft, now, OF_THE_JOB);
            for (const rotation of await openRotationsOf(tx, vrouterId)) await work.advance(rotation);
            return work.switched;
          },
        );
        tellSwitched(this.#desk, name, value, version);
      } catch (thrown) {
        // It was deleted meanwhile.
        if (!(thrown instanceof ProblemError && thrown.problem.code === 'vrouter.notFound')) throw thrown;
      }
    }
  }

  /** Those of which a step is due. */
  async #dueVrouters(): Promise<Set<string>> {
    const ids = new Set<string>();
    for (const counts of Map.groupBy(await openCounts(this.#desk.db), (row) => row.rotationId).values()) {
      const { vrouterId } = counts[0]!;
      if (ids.has(vrouterId)) continue;
      if (isDue(counts, await overlapOf(this.#desk.db, this.#desk, vrouterId), this.#desk.unixMs())) ids.add(vrouterId);
    }
    return ids;
  }
}

/** As `due` of machine.ts would find, of a rotation of which it is known how many are how far. */
function isDue(counts: readonly OpenCount[], overlap: Overlap, nowUnixMs: number): boolean {
  const [{ what, pace, atDeadline }] = counts as [OpenCount];
  let open = 0;
  let waiting = 0;
  for (const row of counts) {
    const { state, offeredUnixMs, count } = row;
    if (state === 'withdrawing' && overlap === 'none') return true;
    if (state !== 'offered' && state !== 'waiting') continue;
    const deadline = deadlineOf(row, { state, offeredUnixMs }, overlap);
    const isLate = deadline !== null && nowUnixMs >= deadline;
    if (isLate && (atDeadline === 'cutOver' || (what === 'psk' && state === 'offered'))) return true;
    if (state === 'waiting') waiting += count;
    else if (!isLate) open += count;
  }
  return overlap === 'yes' && waiting > 0 && (pace === null || open < pace);
}

/** Whether the poll tells of a state of ours, and of everybody who was heard in it. */
function hasAllSaid(head: Head, { storedVersion, storedHash, succeeded }: PollRequest): boolean {
  if (storedHash === null || storedVersion > head.version) return false;
  if (succeeded !== undefined && succeeded.length >= SUCCEEDED_MAX) return false;
  return storedHash === head.hash || head.had(storedVersion, storedHash);
}
