/**
 * The poll loop: asks at least every five seconds, hears of a change at once because the controller holds the question until it has
 * news, renews the certificate at half its life, goes on to another controller when one does not answer, and backs off when none does.
 * The plane forwards on, whatever happens here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { discoverReply, type PollReply, type PollRequest, pollReply, renewReply } from '@vrouter/api/agent/agent.ts';
import {
  type CertificateState,
  type CertificateTimes,
  RENEW_AT,
  stateOfCertificate,
} from '@vrouter/api/agent/lifetime.ts';
import type { ProblemCode } from '@vrouter/core/codes.ts';
import { type Problem, toProblem } from '@vrouter/core/problem.ts';
import type { Logger } from 'pino';
import type { Addresses } from './addresses.ts';
import { Backoff } from './backoff.ts';
import { CAP_MS } from './breaker.ts';
import { BRISK, CallFailed, ControllerClient, PATIENT, PollRefused } from './client.ts';
import type { ControllerClock } from './clock.ts';
import { type AgentCredentials, certificateTimes, type Identity } from './identity.ts';
import { makeKeyAndRequest } from './request.ts';
import { rootsOf } from './trust.ts';

/** The floor of the original: a poll at least this often, ms. */
export const POLL_MS = 5000;
/** Wait after being refused (401, 403) before asking again, ms. */
const REFUSED_MS = 5 * 60_000;
/**
 * Longest wait while nobody answers anywhere, ms. Half of it on average until a controller that is back is found. 5,000 gateways then knock
 * 333 times a second, twice that in the first moment; a controller that shares two cores with all of them takes some 350 fresh TLS
 * connections with their polls each second, so the last of them are in after 20 s. One address of several may wait longer (`CAP_MS`), as
 * may a controller that answers, but not as it should: it may have more to do than it can.
 */
const SILENT_CAP_MS = 15_000;
/** The first poll of a daemon that was started again waits up to this long, ms: a site whose power is back starts all of them at once. */
export const FIRST_POLL_MS = 5000;
/** After a failure, or at another controller, the first answer comes soon, ms; a question that is held less makes us deaf for a while. */
const ANEW_MS = 1000;
/** So many refusals for the nonce, in a row, are no change of controllers any more. */
const REPLAYS_MAX = 4;
/** Added by chance to what `Retry-After` asks for, ms, so that those who were told alike do not come back together. */
const RETRY_JITTER_MS = 10_000;
/** Nobody of ours has answered. */
const UNHEARD: readonly ProblemCode[] = ['controller.unreachable', 'tls.fingerprint'];
/** What says that this gateway is not wanted, or not known. */
const REFUSALS: readonly ProblemCode[] = ['certificate.required', 'poll.identity', 'vrouter.notFound'];
/** Longest wait between two tries to renew, ms. */
const RENEW_CAP_MS = 5 * 60_000;

/** The part of a request that tells of the gateway's state. */
export type PollReport = Omit<PollRequest, 'gatewayId' | 'bootId' | 'seq' | 'nonce' | 'waitMs'>;

export type PollState = 'connected' | 'unreachable' | 'refused';

/** What the loop needs of the daemon. */
export interface PollHost {
  /** The state part of the next request. */
  report(): Promise<PollReport>;
  /** Stores and applies a reply; resolves when it has been tried. False: ask again no sooner than the floor. */
  take(reply: PollReply): Promise<boolean>;
  /** The controller does not know our last poll: nor what was told before it. */
  forgotten(): void;
  state(state: PollState, error: Problem | null): void;
  /** The controller says that this gateway was deleted: nothing more is asked. */
  deleted(why: Problem): Promise<void>;
  clockOffset(ms: number): void;
  /** Told before each poll: how the certificate stands by the controller's clock. */
  certificate(state: CertificateState, times: CertificateTimes): void;
}

export interface PollerParts {
  readonly addresses: Addresses;
  readonly gatewayId: string;
  readonly bootId: string;
  readonly credentials: AgentCredentials;
  readonly identity: Identity;
  readonly host: PollHost;
  readonly clock: ControllerClock;
  readonly log: Logger;
}

export class Poller {
  readonly #addresses: Addresses;
  readonly #gatewayId: string;
  readonly #bootId: string;
  readonly #identity: Identity;
  readonly #host: PollHost;
  readonly #log: Logger;
  readonly #renewBackoff = new Backoff(5000, RENEW_CAP_MS);
  readonly #clock: ControllerClock;
  #credentials: AgentCredentials;
  /** To whom, since the first question; another one when another address is asked. */
  #client: { readonly url: string; readonly to: ControllerClient } | null = null;
  #renewAtUnixMs: number;
  /** A refused certificate is renewed at once, but once only. */
  #renewedForRefusal = false;
  /** Refusals for the nonce, in a row. */
  #replays = 0;
  #probing = false;
  #seq = 0;
  #nonce: string | null = null;
  /** How long the next question may be held. The first answer comes at once: it tells whether we are known at all. */
  #waitMs = 0;
  #alarm = new AbortController();
  #isHurried = false;

  constructor({ addresses, gatewayId, bootId, credentials, identity, host, clock, log }: PollerParts) {
    this.#addresses = addresses;
    this.#gatewayId = gatewayId;
    this.#bootId = bootId;
    this.#credentials = credentials;
    this.#identity = identity;
    this.#host = host;
    this.#clock = clock;
    this.#log = log;
    this.#renewAtUnixMs = renewAt(credentials);
  }

  certificateTimes(): CertificateTimes {
    return certificateTimes(this.#credentials.chain);
  }

  /** Ends the wait between two polls, or the next one when a poll is under way. */
  hurry(): void {
    this.#isHurried = true;
    this.#alarm.abort();
  }

  async #nap(ms: number, signal: AbortSignal): Promise<void> {
    this.#alarm = new AbortController();
    if (!this.#isHurried)
      await delay(ms, undefined, { signal: AbortSignal.any([signal, this.#alarm.signal]) }).catch(() => {});
    this.#isHurried = false;
  }

  /** Another certificate with the next poll, however long the present one is good; who waits to ask again asks now. */
  renewSoon(): void {
    this.#renewAtUnixMs = 0;
    this.#addresses.hurry();
    this.hurry();
  }

  /** Polls until the signal aborts, or the gateway was deleted; `firstAfterMs` from now on. Never rejects. */
  async run(signal: AbortSignal, firstAfterMs: number): Promise<void> {
    if (firstAfterMs > 0) await this.#nap(firstAfterMs, signal);
    while (!signal.aborted) {
      let waitMs: number | null;
      try {
        waitMs = await this.#round(signal);
        this.#renewedForRefusal = false;
        this.#replays = 0;
      } catch (thrown) {
        if (signal.aborted) break;
        waitMs = await this.#failed(thrown);
        if (this.#waitMs > 0) this.#waitMs = ANEW_MS;
      }
      if (waitMs === null) break;
      if (waitMs > 0) await this.#nap(waitMs, signal);
    }
    await this.#client?.to.close();
  }

  async #round(signal: AbortSignal): Promise<number> {
    const url = this.#addresses.pick(nowMs());
    if (url === null) return this.#addresses.waitMs(nowMs());
    await this.#use(url);
    if (this.#clock.unixMs() >= this.#renewAtUnixMs) await this.#tryRenew(signal);
    const times = this.certificateTimes();
    this.#host.certificate(stateOfCertificate(times, this.#clock.unixMs()), times);
    const request: PollRequest = {
      ...(await this.#host.report()),
      gatewayId: this.#gatewayId,
      bootId: this.#bootId,
      seq: ++this.#seq,
      nonce: this.#nonce,
      waitMs: this.#waitMs,
    };
    const sent = Date.now();
    const reply = await this.#post(request, signal);
    this.#nonce = reply.nextNonce;
    this.#waitMs = POLL_MS;
    this.#host.state('connected', null);
    this.#offset(reply.serverTimeUnixMs, sent, Date.now(), reply.heldMs ?? 0);
    void this.#probe(signal);
    const takenWell = await this.#host.take(reply);
    return takenWell ? reply.pollAfterMs : Math.max(POLL_MS, reply.pollAfterMs);
  }

  /** Speaks to this address from now on. Nonces are what one controller and we have agreed on; another one knows none. */
  async #use(url: string): Promise<void> {
    if (this.#client?.url === url) return;
    const old = this.#client;
    if (old !== null) this.#log.info({ controller: url, before: old.url }, 'asking another controller');
    this.#client = { url, to: this.#clientOf(url) };
    this.#nonce = null;
    this.#replays = 0;
    if (old !== null) this.#waitMs = ANEW_MS;
    await old?.to.close();
  }

  /** All of them are judged alike: by the root of the join string, and by their name. */
  #clientOf(url: string): ControllerClient {
    const patience = this.#addresses.size > 1 ? BRISK : PATIENT;
    return new ControllerClient(url, this.#credentials.root, this.#credentials, this.#clock, patience);
  }

  /** A retry of the very same request when the way back was lost: the controller answers it alike. */
  async #post(request: PollRequest, signal: AbortSignal): Promise<PollReply> {
    const { url, to } = this.#client!;
    for (;;) {
      try {
        const reply = await to.post('/vrouter/poll', request, pollReply, signal);
        this.#addresses.succeeded(url, nowMs());
        return reply;
      } catch (thrown) {
        if (signal.aborted || !UNHEARD.includes(toProblem(thrown).code)) throw thrown;
        this.#unreachable(url, thrown);
        if (this.#addresses.circuit(url, nowMs()) !== 'closed') throw thrown;
      }
    }
  }

  #unreachable(url: string, thrown: unknown): void {
    const { isAway, retryAfterMs } = thrown instanceof CallFailed ? thrown : { isAway: true, retryAfterMs: null };
    const waits = retryAfterMs === null ? {} : { waitMs: retryAfterMs + Math.random() * RETRY_JITTER_MS };
    const others = this.#addresses.size > 1 && !this.#addresses.areAllOpen(nowMs());
    const capMs = others ? CAP_MS : SILENT_CAP_MS;
    this.#addresses.failed(url, nowMs(), { why: toProblem(thrown), isAway, capMs, ...waits });
  }

  /** What a failure leads to: ms until the next round; null when there is to be none. */
  async #failed(thrown: unknown): Promise<number | null> {
    const why = toProblem(thrown);
    const { url } = this.#client!;
    if (thrown instanceof PollRefused) {
      // The controller was restarted or restored, and has another idea of what comes next. Once, that costs nothing.
      this.#nonce = thrown.nextNonce;
      this.#host.forgotten();
      this.#replays++;
      if (this.#replays === 1) return 0;
      // Behind a balancer each of our connections may lead to another controller, and none of them knows us yet.
      if (this.#replays < REPLAYS_MAX) return Math.random() * 1000 * 2 ** (this.#replays - 2);
      this.#log.warn({ controller: url, code: why.code, why: why.message }, 'poll failed');
      this.#addresses.failed(url, nowMs(), { why, isAway: true });
      return this.#tell(why, 'unreachable');
    }
    if (why.code === 'gateway.deleted') {
      await this.#host.deleted(why);
      return null;
    }
    this.#log.warn({ controller: url, code: why.code, why: why.message }, 'poll failed');
    if (why.code === 'certificate.required' && !this.#renewedForRefusal) {
      // It may be the end of it that we did not see coming, asleep or by a wrong clock; for a week it can still be renewed.
      this.#renewedForRefusal = true;
      this.#renewAtUnixMs = 0;
      return Math.random() * 1000;
    }
    if (REFUSALS.includes(why.code)) {
      this.#addresses.failed(url, nowMs(), { why, isAway: true, waitMs: REFUSED_MS });
      return this.#tell(why, 'refused');
    }
    if (!UNHEARD.includes(why.code)) {
      const retryAfterMs = thrown instanceof CallFailed ? thrown.retryAfterMs : null;
      const waits = retryAfterMs === null ? {} : { waitMs: retryAfterMs + Math.random() * RETRY_JITTER_MS };
      this.#addresses.failed(url, nowMs(), { why, isAway: true, ...waits });
    }
    return this.#tell(why, 'unreachable');
  }

  /** Where another one can be asked at once, nothing has happened that anybody should be told of. */
  #tell(why: Problem, state: PollState): number {
    const waitMs = this.#addresses.waitMs(nowMs());
    if (this.#addresses.areAllOpen(nowMs())) this.#host.state(state, why);
    return waitMs;
  }

  /** Looks whether an address that failed works again, while another one is asked: it must show a good certificate and answer. */
  async #probe(signal: AbortSignal): Promise<void> {
    const url = this.#addresses.toProbe(nowMs());
    if (url === null || this.#probing) return;
    this.#probing = true;
    const client = this.#clientOf(url);
    try {
      await client.get('/vrouter/discover', discoverReply, signal);
      this.#addresses.succeeded(url, nowMs());
    } catch (thrown) {
      if (!signal.aborted) this.#unreachable(url, thrown);
    } finally {
      await client.close();
      this.#probing = false;
    }
  }

  /** A failed renewal is tried again with growing pauses and never stops the polling: the certificate still has half its life. */
  async #tryRenew(signal: AbortSignal): Promise<void> {
    try {
      await this.#renew(signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const why = toProblem(thrown);
      const retryAfterMs = thrown instanceof CallFailed ? (thrown.retryAfterMs ?? 0) : 0;
      this.#renewAtUnixMs = this.#clock.unixMs() + Math.max(retryAfterMs, this.#renewBackoff.failed(nowMs()));
      // Where there are several controllers, one whose authority fails must not be the end of this certificate.
      if (!UNHEARD.includes(why.code)) this.#addresses.leave(this.#client!.url, nowMs());
      this.#log.warn({ code: why.code, why: why.message }, 'certificate not renewed');
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const pending = await this.#identity.pending(() => makeKeyAndRequest(this.#gatewayId));
    const { to: old } = this.#client!;
    const reply = await old.post('/vrouter/renew', { csr: pending.csr }, renewReply, signal);
    const credentials = {
      key: pending.key,
      chain: reply.certificateChain.join(''),
      root: this.#rootsAfter(reply.roots),
    };
    await this.#identity.save(credentials);
    this.#credentials = credentials;
    const url = this.#client!.url;
    this.#client = { url, to: this.#clientOf(url) };
    this.#renewAtUnixMs = renewAt(credentials);
    this.#renewBackoff.reset();
    this.#log.info({ until: new Date(this.certificateTimes().notAfterUnixMs).toISOString() }, 'certificate renewed');
    await old.close();
    // Every few hours each gateway draws anew: a controller that came back, or came new, gets its share.
    this.#addresses.shuffle();
  }

  /** Roots that the controller names from now on: how one is replaced. What cannot be read leaves us with those that we have. */
  #rootsAfter(named: readonly string[] | undefined): string {
    if (named === undefined) return this.#credentials.root;
    try {
      if (rootsOf(named.join('\n')).every((root) => root.ca)) return named.map((pem) => `${pem.trimEnd()}\n`).join('');
    } catch {
      // Told below.
    }
    this.#log.error('the controller names roots that are none; going on with those that we know');
    return this.#credentials.root;
  }

  /** Half of what the round trip took besides being held is the way back (Cristian's method). */
  #offset(serverUnixMs: number, sentUnixMs: number, receivedUnixMs: number, heldMs: number): void {
    this.#clock.measured(serverUnixMs - receivedUnixMs + (receivedUnixMs - sentUnixMs - heldMs) / 2);
    this.#host.clockOffset(this.#clock.offsetMs ?? 0);
  }
}

function nowMs(): number {
  return performance.now();
}

/** Half of the certificate's life, give or take a twentieth of it, so that a fleet does not renew in step. Unix ms. */
function renewAt(credentials: AgentCredentials): number {
  const { notBeforeUnixMs, notAfterUnixMs } = certificateTimes(credentials.chain);
  const share = RENEW_AT - 0.05 + 0.1 * Math.random();
  return notBeforeUnixMs + (notAfterUnixMs - notBeforeUnixMs) * share;
}
