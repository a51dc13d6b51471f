/**
 * The gateway's side of its controller: joins when there is a join string and no certificate yet, then polls for ever; judges what
 * comes, stores it, and hands it on. What it holds back waits for a person.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { PollReply, Succession } from '@vrouter/api/agent/agent.ts';
import type { CertificateState, CertificateTimes } from '@vrouter/api/agent/lifetime.ts';
import type { Outlook, PlanReply, StatusReply } from '@vrouter/api/gateway/gateway.ts';
import type { ProblemCode } from '@vrouter/core/codes.ts';
import { type Problem, ProblemError, problem, toProblem } from '@vrouter/core/problem.ts';
import type { Logger } from 'pino';
import type { Events } from '../events.ts';
import type { Keeping } from '../store/keeping.ts';
import type { Enrolment, Store, StoredIntent } from '../store/store.ts';
import { Addresses, validUrls } from './addresses.ts';
import { CallFailed } from './client.ts';
import { ControllerClock, clockStateOf, offsetText, WRONG_MS } from './clock.ts';
import { enrol } from './enrol.ts';
import type { Identity } from './identity.ts';
import { type JoinString, tokenHash } from './join-string.ts';
import { outlookOf } from './outlook.ts';
import { FIRST_POLL_MS, Poller, type PollHost, type PollReport, type PollState } from './poll.ts';
import { ControllerState, type SyncChange } from './sync.ts';

export interface AgentParts {
  readonly store: Store;
  readonly keeping: Keeping;
  readonly identity: Identity;
  readonly join: JoinString | null;
  /** Addresses that the configuration file names besides. */
  readonly controllers: readonly string[];
  /** What becomes of what the controller has said when it says that this gateway was deleted. */
  readonly onDeleted: 'keep' | 'flush';
  readonly events: Events;
  readonly log: Logger;
  /** Makes a stored change true; resolves when it has been tried. */
  apply(change: SyncChange, committedUnixMs: number | null): Promise<void>;
  /** How the gateway is, but for versions. */
  report(): Promise<Omit<PollReport, 'storedVersion' | 'storedHash' | 'full' | 'held' | 'clockOffsetMs' | 'succeeded'>>;
  /** Peers whose next key was heard, as of now. */
  succeeded(): Succession[];
  /** The last report was answered; or the controller is another, or was started anew, and knows none of them. */
  heard(controller: 'answered' | 'new'): void;
}

/** What may be otherwise in a moment, and is no reason to give up joining. */
const PASSING: readonly ProblemCode[] = [
  'controller.unreachable',
  'request.limited',
  'timeout',
  'internal',
  'store.unavailable',
  'ca.unreachable',
  'ca.refused',
  'store.unavailable',
  'data.unwritable',
];
/** Longest wait between two tries to join, ms: somebody waits for it. */
const JOIN_CAP_MS = 15_000;
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
  #addresses: Addresses;
  #learnt: readonly string[] = [];
  /** As the configuration file names them now. */
  #said: readonly string[];
  /** When a controller said that this gateway was deleted, Unix ms. */
  #deletedUnixMs: number | null;
  #enrolment: Enrolment | null;
  #pollState: ControllerStatus['state'] = 'none';
  #lastError: Problem | null = null;
  #lastPollUnixMs: number | null;
  #stateSinceUnixMs = Date.now();
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
    this.#said = parts.controllers;
    this.#deletedUnixMs = parts.store.deletedUnixMs();
    this.#addresses = this.#known();
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
    return this.#state.version === 0 && (this.#parts.join !== null || this.#enrolment !== null || this.#hasLostStore);
  }

  /** The store is new, and the certificate beside it says that there was another. */
  get #hasLostStore(): boolean {
    return this.#enrolment === null && this.#parts.identity.credentials() !== null;
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

  /** The addresses that the configuration file names, from now on. */
  sayControllers(urls: readonly string[]): void {
    this.#said = urls;
    this.#addresses.say('file', urls);
  }

  status(): ControllerStatus {
    const addresses = this.#addresses.states(performance.now());
    const { url = null } = addresses[0] ?? {};
    const why = this.#lastError;
    return {
      url,
      state: this.#pollState,
      lastPollUnixMs: this.#lastPollUnixMs,
      lastError: why === null ? null : `${why.message} (${why.code})`,
      certificateExpiresUnixMs: this.#poller?.certificateTimes().notAfterUnixMs ?? null,
      certificateState: this.#certificateState,
      clockOffsetMs: this.#clockOffsetMs,
      clockState: this.#clockOffsetMs === null ? null : clockStateOf(this.#clockOffsetMs),
      addresses,
      outlook: this.outlook(addresses),
    };
  }

  /** How it stands with the controller, in words. */
  outlook(addresses = this.#addresses.states(performance.now())): Outlook {
    return outlookOf({
      state: this.#pollState,
      hasJoined: this.#poller !== null,
      hasLostStore: this.#hasLostStore,
      why: this.#lastError,
      addresses,
      lastPollUnixMs: this.#lastPollUnixMs,
      stateSinceUnixMs: this.#stateSinceUnixMs,
      certificate: this.#poller?.certificateTimes() ?? null,
      clockOffsetMs: this.#clockOffsetMs,
      deletedUnixMs: this.#deletedUnixMs,
      onDeleted: this.#parts.onDeleted,
      held: this.#held,
      storedVersion: this.#state.version,
      nowUnixMs: Date.now(),
    });
  }

  /** Asks for another certificate with the next poll. Throws ProblemError `certificate.required` when there is none to renew. */
  renewCertificate(): { readonly expiresUnixMs: number } {
    if (this.#poller === null)
      throw new ProblemError(problem('certificate.required', 'this gateway has not joined a controller yet'));
    this.#poller.renewSoon();
    return { expiresUnixMs: this.#poller.certificateTimes().notAfterUnixMs };
  }

  /** Agrees to the very version that is held; the poll that takes it goes out at once. Throws ProblemError `intent.notFound` when nothing is. */
  confirmHeld(): { readonly version: number } {
    if (this.#held === null) {
      const { condition, summary } = this.outlook();
      const unheard =
        this.#pollState === 'connected' || condition === 'standalone' ? '' : `, as far as is known here: ${summary}`;
      throw new ProblemError(problem('intent.notFound', `nothing is held back${unheard}`));
    }
    const { version } = this.#held;
    this.#confirmedVersion = version;
    this.#poller?.hurry();
    return { version };
  }

  /** The next poll goes out as soon as the present one has ended: there is something to tell. */
  hurry(): void {
    this.#poller?.hurry();
  }

  async report(): Promise<PollReport> {
    const state = await this.#parts.report();
    return {
      ...state,
      // In the same moment as the version: together they say who was not heard before it.
      succeeded: this.#parts.succeeded(),
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
    this.#noteDeleted(null);
    this.#learn(reply.controllers ?? []);
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
          this.state('unreachable', problem('internal', `the controller's state is not what it says: ${outcome.why}`));
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

  state(state: PollState | 'joining' | 'deleted', why: Problem | null): void {
    if (state !== this.#pollState)
      this.#parts.events.emit('poll', why === null ? state : `${state}: ${why.message} (${why.code})`);
    this.#enter(state);
    this.#lastError = why;
  }

  #enter(state: ControllerStatus['state']): void {
    if (state !== this.#pollState) this.#stateSinceUnixMs = Date.now();
    this.#pollState = state;
  }

  /** Keeps what is on the plane, or takes it away, as this host's own file says; its own intents stay in any case. */
  async deleted(why: Problem): Promise<void> {
    const { store, log, onDeleted } = this.#parts;
    this.#noteDeleted(this.#deletedUnixMs ?? Date.now());
    const change = this.#state.emptying();
    const what = onDeleted === 'keep' ? 'what it said last stays on the plane' : 'what it has said is taken away';
    log.error({ why: why.message, onDeleted }, `this gateway was deleted at its controller; ${what}`);
    if (onDeleted === 'flush' && change.remove.length > 0) {
      store.commit('controller', change, { version: 0, hash: null, lastPollUnixMs: this.#lastPollUnixMs });
      this.#state.accept(change);
      await this.#parts.apply(change, null);
    }
    this.state('deleted', why);
  }

  /** Null: a controller has answered again, since it was restored, or this gateway has joined anew. */
  #noteDeleted(unixMs: number | null): void {
    if (unixMs === this.#deletedUnixMs) return;
    this.#deletedUnixMs = unixMs;
    this.#parts.store.noteDeleted(unixMs);
  }

  /** What the controllers say of where they are is kept; an empty list says nothing. */
  #learn(controllers: readonly string[]): void {
    const urls = validUrls(controllers);
    const { store, log } = this.#parts;
    if (urls.length === 0 || urls.join() === this.#learnt.join()) return;
    this.#learnt = urls;
    store.saveControllerAddresses('learnt', urls);
    this.#addresses.say('learnt', urls);
    log.info({ controllers: urls }, 'addresses of controllers learnt');
  }

  /** All addresses that this gateway knows, whoever named them. */
  #known(): Addresses {
    const { store, join } = this.#parts;
    this.#learnt = store.controllerAddresses('learnt');
    const isTheirs = join !== null && this.#enrolment?.joinTokenHash === tokenHash(join);
    const joined = isTheirs ? join.controllerUrls : [];
    const named = [...new Set([...joined, ...store.controllerAddresses('join')])];
    return new Addresses({ file: this.#said, join: named, learnt: this.#learnt });
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
    if (join === null && this.#hasLostStore) {
      const text =
        'there is a certificate, but the store does not know of which controller: vrouterd.db is new. What the engine has is left as it is; put vrouterd.db back, or join anew (--join)';
      this.#parts.log.error(text);
      this.#parts.events.emit('problem', text);
      return;
    }
    if (join === null && !enrolled) {
      this.#parts.log.info('no controller: neither enrolled nor given a join string');
      return;
    }
    let hasJoined = false;
    // The string that this gateway joined with may stay in its configuration; another one is a wish to join anew.
    if (join !== null && (!enrolled || this.#enrolment?.joinTokenHash !== tokenHash(join))) {
      try {
        await this.#join(join, signal);
        hasJoined = true;
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
    this.#addresses = this.#known();
    if (hasJoined) this.#noteDeleted(null);
    this.#enter(this.#deletedUnixMs === null ? 'connecting' : 'deleted');
    this.#poller = new Poller({
      addresses: this.#addresses,
      gatewayId: this.#enrolment.gatewayId,
      bootId: randomBytes(16).toString('hex'),
      credentials,
      identity,
      host: this,
      clock: this.#clock,
      log: this.#parts.log,
    });
    await this.#poller.run(signal, hasJoined ? 0 : Math.random() * FIRST_POLL_MS);
  }

  /** Tries until it works, or until the controller's answer can only be mended by a person. */
  async #join(join: JoinString, signal: AbortSignal): Promise<void> {
    const { identity, store, events, log } = this.#parts;
    const addresses = new Addresses({ file: [], join: join.controllerUrls, learnt: [] });
    const nowMs = () => performance.now();
    this.#addresses = addresses;
    this.#enter('joining');
    while (!signal.aborted) {
      const url = addresses.pick(nowMs());
      if (url === null) {
        await delay(addresses.waitMs(nowMs()), undefined, { signal }).catch(() => {});
        continue;
      }
      try {
        this.#enrolment = await enrol(join, url, identity, store, this.#clock, signal);
        events.emit('poll', `joined ${url} as ${this.#enrolment.name}`);
        this.#state.forget();
        log.info({ vrouter: this.#enrolment.name, gatewayId: this.#enrolment.gatewayId, controller: url }, 'joined');
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        const why = toProblem(thrown);
        const retryAfterMs = thrown instanceof CallFailed ? thrown.retryAfterMs : null;
        const waits = retryAfterMs === null ? {} : { waitMs: retryAfterMs + Math.random() * JOIN_CAP_MS };
        addresses.failed(url, nowMs(), { why, isAway: true, capMs: JOIN_CAP_MS, ...waits });
        // One of several that is another controller than was meant is left alone; any other refusal is meant for us.
        const isElsewhere = why.code === 'tls.fingerprint' && !addresses.areAllOpen(nowMs());
        if (!PASSING.includes(why.code) && !isElsewhere) throw thrown;
        this.#fail('joining', thrown);
      }
    }
  }

  #fail(state: 'joining' | 'refused', thrown: unknown): void {
    const why = toProblem(thrown);
    this.state(state, why);
    this.#parts.log.error({ code: why.code, why: why.message }, 'controller');
  }
}
