/** POST /vrouter/poll: who is it, is it new, what does it tell, what is there to say. specs: long poll, deltas, idempotent retry. */
import { createHash } from 'node:crypto';
import type { PollReply, PollRequest } from '@vrouter/api/agent/agent.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Desired } from '../desired/desired.ts';
import type { Head } from '../desired/head.ts';
import { INTERFACE } from '../desk/status.ts';
import type { EventBus } from '../events/bus.ts';
import type { History } from '../history/history.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { RotationWatch } from '../rotation/watch.ts';
import type { StoredOp } from '../store/intents.ts';
import type { Gateway } from './gateway.ts';
import { heldBecauseLost, isLost, keepWhatYouHave } from './lost-state.ts';
import type { Boot } from './sessions.ts';
import { HeldPoll } from './waiting.ts';

/** Pause that a gateway is told when it does not wait here, ms. */
const POLL_MS = 5000;

/** A poll that replays or is out of order; the gateway goes on with `nextNonce`. */
export class ReplayError extends ProblemError {
  readonly nextNonce: string;

  constructor(message: string, nextNonce: string) {
    super(problem('poll.replay', message));
    this.nextNonce = nextNonce;
  }
}

/** What a poll is answered besides its gateway's own. */
export interface PollWords {
  /** Where gateways find controllers: `https://host:port` each. */
  controllers(): readonly string[];
  /** That the vrouter of this gateway was deleted, as an error; null when it was not. */
  deleted(gatewayId: string): Promise<ProblemError | null>;
}

export class PollService {
  readonly #desired: Desired;
  readonly #history: History;
  readonly #events: EventBus;
  readonly #metrics: Metrics;
  readonly #rotations: RotationWatch;
  readonly #unixMs: () => number;
  readonly #words: PollWords;
  #stopping = false;

  constructor(
    desired: Desired,
    history: History,
    events: EventBus,
    metrics: Metrics,
    rotations: RotationWatch,
    unixMs: () => number,
    words: PollWords,
  ) {
    this.#rotations = rotations;
    this.#words = words;
    this.#history = history;
    this.#desired = desired;
    this.#events = events;
    this.#metrics = metrics;
    this.#unixMs = unixMs;
  }

  /**
   * Answers a poll of a gateway whose certificate is good: text of a `pollReply`. Throws `poll.identity`, or ReplayError.
   */
  async poll(gateway: Gateway, request: PollRequest): Promise<string> {
    const head = await this.#desired.find(gateway.vrouterId);
    if (request.gatewayId !== gateway.id) throw notYou();
    if (head === undefined) throw (await this.#words.deleted(gateway.id)) ?? notYou();
    const digest = createHash('sha256').update(JSON.stringify(request)).digest('base64');
    const admission = gateway.sessions.admit({ ...request, digest });
    switch (admission.kind) {
      case 'refused':
        this.#metrics.polls.inc({ result: 'replay' });
        throw new ReplayError(
          'this poll is not the one that comes next; ask again with nextNonce',
          admission.nextNonce,
        );
      case 'retry':
        this.#metrics.polls.inc({ result: 'retry' });
        return admission.reply.answer;
      case 'fresh': {
        admission.superseded?.end('superseded');
        this.#hear(gateway, head, request);
        const held = new HeldPoll();
        admission.boot.reply = held;
        return held.run(() => this.#answer(gateway, head, request, admission.boot, held));
      }
    }
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** From now on nothing is held. */
  stop(): void {
    this.#stopping = true;
  }

  #hear(gateway: Gateway, head: Head, request: PollRequest): void {
    const now = this.#unixMs();
    const before = gateway.row.appliedVersion;
    const errorsBefore = JSON.stringify(gateway.errors);
    gateway.heard(request, now, (stats) => head.bodies.has(`peer/${stats.interface}/${stats.publicKey}`));
    if (request.stats !== null)
      this.#history.hear(gateway.vrouterId, request.stats, (key) => head.bodies.has(`peer/${INTERFACE}/${key}`));
    this.#rotations.hear(gateway, head, request);
    const vrouter = head.row.name;
    if (!gateway.connected) {
      gateway.connected = true;
      const text = `the gateway of ${vrouter} polls (${request.plane}, vrouterd ${request.version})`;
      this.#events.emit({ type: 'gateway.connected', vrouter, subject: gateway.id, version: null, text });
    }
    if (request.errors.length > 0 && JSON.stringify(request.errors) !== errorsBefore) {
      const text = `${request.errors.length} things could not be applied, first ${request.errors[0]!.key}: ${request.errors[0]!.message}`;
      this.#events.emit({ type: 'gateway.errors', vrouter, subject: gateway.id, version: null, text });
    }
    const version = request.appliedVersion;
    if (version <= (before ?? 0)) return;
    // A number alone may be that of another state, as after a restore.
    if (request.appliedHash != null && !head.had(version, request.appliedHash)) return;
    const committedAt = head.committedAt(version);
    if (committedAt !== null) this.#metrics.convergence.observe(Math.max(0, now - committedAt) / 1000);
    const text = `version ${version} is on the plane of ${vrouter}`;
    this.#events.emit({ type: 'version.applied', vrouter, subject: gateway.id, version, text });
  }

  /** Notes and shows that the gateway has a state that the store has lost. */
  async #lookForLost(gateway: Gateway, head: Head, request: PollRequest): Promise<void> {
    // Another controller may have given it a version that we have not heard of yet.
    if (request.storedVersion > head.version) await this.#desired.follow(head);
    if (!isLost(head, request)) {
      gateway.lost = false;
      return;
    }
    if (head.row.restoredVersion === 0) await this.#desired.noteRestored(head);
    gateway.holding = heldBecauseLost(head, request);
    if (gateway.lost) return;
    gateway.lost = true;
    const text = `the gateway of ${head.row.name} has version ${request.storedVersion}, which the store has lost; it keeps it until version ${head.version} is confirmed`;
    this.#events.emit({ type: 'gateway.ahead', vrouter: head.row.name, subject: gateway.id, version: null, text });
  }

  async #answer(
    gateway: Gateway,
    head: Head,
    request: PollRequest,
    boot: Boot<HeldPoll>,
    held: HeldPoll,
  ): Promise<string> {
    const startedMs = performance.now();
    await this.#lookForLost(gateway, head, request);
    if (request.waitMs > 0 && !this.#stopping && isNothing(head, request)) {
      gateway.held.add(held);
      const unsubscribe = head.subscribe(() => held.end(head.gone ? 'revoked' : 'changed'));
      try {
        if ((await held.wait(request.waitMs)) === 'superseded')
          throw new ReplayError('a later poll has taken the place of this one', boot.nonce);
      } finally {
        unsubscribe();
        gateway.held.delete(held);
      }
    }
    if (gateway.revoked || head.gone) throw (await this.#words.deleted(gateway.id)) ?? notYou();
    if (boot.reply === held) boot.answered = true;
    // Who waited here was there all the time.
    gateway.row.lastPollUnixMs = this.#unixMs();
    return this.#compose(head, request, boot.nonce, performance.now() - startedMs);
  }

  #compose(head: Head, request: PollRequest, nextNonce: string, heldMs: number): string {
    if (isLost(head, request)) {
      this.#metrics.polls.inc({ result: 'nothing' });
      const pollAfterMs = this.#pollAfterMs(request, true);
      const reply = { ops: [], ...keepWhatYouHave(request), nextNonce, pollAfterMs };
      const controllers = this.#words.controllers();
      return JSON.stringify({ ...reply, serverTimeUnixMs: this.#unixMs(), heldMs: Math.round(heldMs), controllers });
    }
    const ops = wantsAll(head, request) ? null : head.opsSince(request.storedVersion, request.storedHash);
    const kind = ops === null ? 'full' : ops.length === 0 ? 'nothing' : 'delta';
    this.#metrics.polls.inc({ result: kind });
    const { version } = head;
    const rest: Omit<PollReply, 'ops'> = {
      version,
      baseVersion: ops === null ? null : request.storedVersion,
      committedUnixMs: head.committedAt(version),
      hash: head.hash,
      nextNonce,
      pollAfterMs: this.#pollAfterMs(request, kind === 'nothing'),
      confirmShrink: ops === null && isConfirmed(head),
      serverTimeUnixMs: this.#unixMs(),
      heldMs: Math.round(heldMs),
      controllers: [...this.#words.controllers()],
    };
    const said = ops ?? [...head.bodies].map(([key, body]): StoredOp => ({ key, body }));
    // The intents are JSON text already; parsing them only to write them again would be most of the work.
    return `{"ops":[${said.map(opText).join(',')}],${JSON.stringify(rest).slice(1)}`;
  }

  #pollAfterMs(request: PollRequest, nothing: boolean): number {
    // Everyone comes back after a restart, but not all at once.
    if (this.#stopping) return 500 + Math.floor(Math.random() * (POLL_MS - 500));
    return nothing && request.waitMs < 1000 ? POLL_MS : 0;
  }
}

function isConfirmed(head: Head): boolean {
  return head.row.confirmedVersion > 0 && head.row.confirmedVersion === head.version;
}

function wantsAll(head: Head, request: PollRequest): boolean {
  return request.full || (isConfirmed(head) && request.storedVersion < head.version);
}

function isNothing(head: Head, request: PollRequest): boolean {
  if (isLost(head, request)) return true;
  return !wantsAll(head, request) && head.opsSince(request.storedVersion, request.storedHash)?.length === 0;
}

function opText({ key, body }: StoredOp): string {
  const name = JSON.stringify(key);
  return body === null ? `{"op":"remove","key":${name}}` : `{"op":"put","key":${name},"intent":${body}}`;
}

function notYou(): ProblemError {
  const message = 'this gateway is not known here any more; join again with a new join string';
  return new ProblemError(problem('poll.identity', message));
}
