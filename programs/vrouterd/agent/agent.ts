/**
 * The gateway's side of its controller: joins when there is a join string and no certificate yet, then polls for ever; judges what
 * comes, stores it, and hands it on. What it holds back waits for a person.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { PollReply } from '@vrouter/api/agent/agent.ts';
import type { CertificateState, CertificateTimes } from '@vrouter/api/agent/lifetime.ts';
import type { PlanReply, StatusReply } from '@vrouter/api/gateway/gateway.ts';
import type { ProblemCode } from '@vrouter/core/codes.ts';
import { ProblemError, problem, toProblem } from '@vrouter/core/problem.ts';
import type { Logger } from 'pino';
import type { Events } from '../events.ts';
import type { Keeping } from '../store/keeping.ts';
import type { Enrolment, Store, StoredIntent } from '../store/store.ts';
import { Backoff } from './backoff.ts';
import { ControllerClock, clockStateOf, offsetText, WRONG_MS } from './clock.ts';
import { enrol } from './enrol.ts';
import type { Identity } from './identity.ts';
import { type JoinString, tokenHash } from './join-string.ts';
import { Poller, type PollHost, type PollReport, type PollState } from './poll.ts';
import { ControllerState, type SyncChange } from './sync.ts';

export interface AgentParts {
  readonly store: Store;
  readonly keeping: Keeping;
  readonly identity: Identity;
  readonly join: JoinString | null;
  readonly events: Events;
  readonly log: Logger;
  /** Makes a stored change true; resolves when it has been tried. */
  apply(change: SyncChange, committedUnixMs: number | null): Promise<void>;
  /** How the gateway is, but for versions. */
  report(): Promise<Omit<PollReport, 'storedVersion' | 'storedHash' | 'full' | 'held' | 'clockOffsetMs'>>;
  /** The last report was answered; or the controller is another, or was started anew, and knows none of them. */
  heard(controller: 'answered' | 'new'): void;
}

/** What may be otherwise in a moment, and is no reason to give up joining. */
const PASSING: readonly ProblemCode[] = [
  'controller.unreachable',
  'request.limited',
  'timeout',
  'internal',
  'ca.unreachable',
  'ca.refused',
  'store.unavailable',
  'data.unwritable',
];
/** Between two notes of the last poll in the store, ms. */
const NOTE_POLL_MS = 60_000;

type ControllerStatus = StatusReply['controller'];

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text, 'utf8').digest();

export class ControllerAgent implements PollHost {
  readonly #parts: AgentParts;
  readonly #state: ControllerState;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #poller: Poller | null = null;
  #enrolment: Enrolment | null;
  #pollState: ControllerStatus['state'] = 'none';
  #lastError: string | null = null;
  #lastPollUnixMs: number | null;
  #notedPollUnixMs = 0;
  #clockOffsetMs: number | null = null;
  readonly #clock = new ControllerClock(Date.now, () => performance.now());
  #certificateState: CertificateState | null = null;
  #full = false;
  #held: PlanReply['held'] = null;
  #confirmedVersion: number | null = null;

  constructor(parts: AgentParts, stored: readonly StoredIntent[]) {
    this.#parts = parts;
    this.#enrolment = parts.store.enrolment();
    const sync = parts.store.syncState();
    const bodies = stored.filter(({ source }) => source === 'controller');
    this.#state = new ControllerState(
      sha256,
      sync.version,
      bodies.map(({ key, body }) => [key, body] as const),
    );
    this.#lastPollUnixMs = sync.lastPollUnixMs;
  }

  /** Joins if need be and polls, in the background. Without a join string and an enrolment there is nothing to do. */
  start(): void {
    this.#running = this.#run(this.#stop.signal).catch((thrown: unknown) => {
      if (!this.#stop.signal.aborted) this.#fail('refused', thrown);
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#notePoll(0);
  }

  get enrolment(): Enrolment | null {
    return this.#enrolment;
  }

  /** There is a controller, and it has not said yet what should be. */
  get awaitsFirstState(): boolean {
    return this.#state.version === 0 && (this.#parts.join !== null || this.#enrolment !== null);
  }

  get storedVersion(): number {
    return this.#state.version;
  }

  /** Of the stored version; null before the first. */
  get storedHash(): string | null {
    return this.#state.hash();
  }

  /** What the controller's clock says, as far as we know. */
  get controllerUnixMs(): number {
    return this.#clock.unixMs();
  }

  get held(): PlanReply['held'] {
    return this.#held;
  }

  status(): ControllerStatus {
    return {
      url: this.#enrolment?.controllerUrl ?? this.#parts.join?.controllerUrl ?? null,
      state: this.#pollState,
      lastPollUnixMs: this.#lastPollUnixMs,
      lastError: this.#lastError,
      certificateExpiresUnixMs: this.#poller?.certificateExpiresUnixMs() ?? null,
      certificateState: this.#certificateState,
      clockOffsetMs: this.#clockOffsetMs,
      clockState: this.#clockOffsetMs === null ? null : clockStateOf(this.#clockOffsetMs),
    };
  }

  /** Asks for another certificate with the next poll. Throws ProblemError `certificate.required` when there is none to renew. */
  renewCertificate(): { readonly expiresUnixMs: number } {
    if (this.#poller === null)
      throw new ProblemError(problem('certificate.required', 'this gateway has not joined a controller yet'));
    this.#poller.renewSoon();
    return { expiresUnixMs: this.#poller.certificateExpiresUnixMs() };
  }

  /** Agrees to the very version that is held; the poll that takes it goes out at once. Throws ProblemError `intent.notFound` when nothing is. */
  confirmHeld(): { readonly version: number } {
    if (this.#held === null) throw new ProblemError(problem('intent.notFound', 'nothing is held back'));
    const { version } = this.#held;
    this.#confirmedVersion = version;
    this.#poller?.hurry();
    return { version };
  }

  async report(): Promise<PollReport> {
    return {
      ...(await this.#parts.report()),
      storedVersion: this.#state.version,
      storedHash: this.#state.hash(),
      full: this.#full,
      held: this.#held,
      clockOffsetMs: this.#clockOffsetMs,
    };
  }

  forgotten(): void {
    this.#parts.heard('new');
  }

  async take(reply: PollReply): Promise<boolean> {
    this.#parts.heard('answered');
    this.#lastPollUnixMs = Date.now();
    const outcome = this.#state.judge(
      reply,
      this.#confirmedVersion !== null && reply.version >= this.#confirmedVersion,
    );
    switch (outcome.kind) {
      case 'unchanged':
        this.#full = false;
        this.#held = null;
        this.#notePoll(NOTE_POLL_MS);
        return true;
      case 'resync':
        this.#parts.log.warn({ why: outcome.why }, 'asking for the whole state');
        // A whole state that does not fit either is a fault that asking again at once will not mend.
        if (reply.baseVersion === null)
          this.state('unreachable', `the controller's state is not what it says: ${outcome.why}`);
        this.#full = true;
        return reply.baseVersion !== null;
      case 'held':
        this.#hold(outcome);
        return false;
      case 'change': {
        const { change } = outcome;
        const sync = { version: change.version, hash: change.hash, lastPollUnixMs: this.#lastPollUnixMs };
        // What is not stored is not made true: the controller would take it for done, and a restart would undo it.
        if (!this.#parts.keeping.attempt(() => this.#parts.store.commit('controller', change, sync))) return false;
        this.#state.accept(change);
        this.#full = false;
        this.#held = null;
        this.#confirmedVersion = null;
        const text = `version ${change.version}: ${change.put.length} put, ${change.remove.length} removed`;
        this.#parts.events.emit('poll', text);
        this.#parts.log.info(
          { version: change.version, put: change.put.length, removed: change.remove.length },
          'stored',
        );
        await this.#parts.apply(change, reply.committedUnixMs ?? null);
        return true;
      }
    }
  }

  state(state: PollState, error: string | null): void {
    if (state !== this.#pollState) this.#parts.events.emit('poll', error === null ? state : `${state}: ${error}`);
    this.#pollState = state;
    this.#lastError = error;
  }

  clockOffset(ms: number): void {
    const before = clockStateOf(this.#clockOffsetMs ?? 0);
    this.#clockOffsetMs = ms;
    const state = clockStateOf(ms);
    if (state === 'good' || state === before) return;
    const judged = Math.abs(ms) > WRONG_MS ? ' Certificates are judged by the controller’s until then.' : '';
    const text = `this host's clock is ${offsetText(ms)}; set it (NTP).${judged}`;
    const level = state === 'critical' ? 'error' : 'warn';
    this.#parts.log[level]({ offsetMs: Math.round(ms), state }, `${text} WireGuard needs ours to go forward`);
    this.#parts.events.emit('problem', text);
  }

  certificate(state: CertificateState, { notAfterUnixMs }: CertificateTimes): void {
    const before = this.#certificateState;
    this.#certificateState = state;
    if (state === before || state === 'good') return;
    const until = new Date(notAfterUnixMs).toISOString();
    const text = `the certificate was not renewed in time (${state}, its end is ${until}); packets are forwarded on, changes stop with it`;
    if (state === 'late') this.#parts.log.warn({ state }, text);
    else this.#parts.log.error({ state }, text);
    this.#parts.events.emit('poll', text);
  }

  #notePoll(notMoreOftenMs: number): void {
    const at = this.#lastPollUnixMs;
    if (at === null || at - this.#notedPollUnixMs < notMoreOftenMs) return;
    if (this.#parts.keeping.attempt(() => this.#parts.store.notePoll(at))) this.#notedPollUnixMs = at;
  }

  #hold(outcome: { version: number; removes: number; reason: string }): void {
    if (this.#held?.version !== outcome.version) {
      const text = `version ${outcome.version} is held: ${outcome.reason}; vrouterctl plan confirm takes it`;
      this.#parts.log.warn({ version: outcome.version, removes: outcome.removes }, text);
      this.#parts.events.emit('held', text);
    }
    this.#held = { version: outcome.version, removes: outcome.removes, reason: outcome.reason };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { identity, join } = this.#parts;
    const enrolled = identity.credentials() !== null && this.#enrolment !== null;
    if (join === null && !enrolled) {
      this.#parts.log.info('no controller: neither enrolled nor given a join string');
      return;
    }
    // The string that this gateway joined with may stay in its configuration; another one is a wish to join anew.
    if (join !== null && (!enrolled || this.#enrolment?.joinTokenHash !== tokenHash(join))) {
      try {
        await this.#join(join, signal);
      } catch (thrown) {
        if (!enrolled || signal.aborted) throw thrown;
        this.#parts.log.error(
          { why: toProblem(thrown).message },
          'the new join string does not work; going on with the old',
        );
      }
    }
    const credentials = identity.credentials();
    if (credentials === null || this.#enrolment === null) return;
    const { controllerUrl, gatewayId } = this.#enrolment;
    this.#pollState = 'connecting';
    const bootId = randomBytes(16).toString('hex');
    this.#poller = new Poller(
      controllerUrl,
      gatewayId,
      bootId,
      credentials,
      identity,
      this,
      this.#clock,
      this.#parts.log,
    );
    await this.#poller.run(signal);
  }

  /** Tries until it works, or until the controller's answer can only be mended by a person. */
  async #join(join: JoinString, signal: AbortSignal): Promise<void> {
    const { identity, store, events, log } = this.#parts;
    const backoff = new Backoff(500, 30_000);
    this.#pollState = 'joining';
    while (!signal.aborted) {
      try {
        this.#enrolment = await enrol(join, identity, store, this.#clock, signal);
        events.emit('poll', `joined ${join.controllerUrl} as ${this.#enrolment.name}`);
        this.#state.forget();
        log.info({ vrouter: this.#enrolment.name, gatewayId: this.#enrolment.gatewayId }, 'joined');
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        if (!PASSING.includes(toProblem(thrown).code)) throw thrown;
        this.#fail('unreachable', thrown);
        await delay(backoff.nextMs(), undefined, { signal }).catch(() => {});
      }
    }
  }

  #fail(state: PollState, thrown: unknown): void {
    const why = toProblem(thrown);
    this.state(state, `${why.message} (${why.code})`);
    this.#parts.log.error({ code: why.code, why: why.message }, 'controller');
  }
}
