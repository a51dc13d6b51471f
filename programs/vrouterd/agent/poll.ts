/**
 * The poll loop: asks at least every five seconds, hears of a change at once because the controller holds the question until it has
 * news, renews the certificate at half its life, and backs off when nobody answers. The plane forwards on, whatever happens here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type PollReply, type PollRequest, pollReply, renewReply } from '@vrouter/api/agent/agent.ts';
import {
  type CertificateState,
  type CertificateTimes,
  RENEW_AT,
  stateOfCertificate,
} from '@vrouter/api/agent/lifetime.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import type { Logger } from 'pino';
import { Backoff } from './backoff.ts';
import { ControllerClient, PollRefused } from './client.ts';
import type { ControllerClock } from './clock.ts';
import { type AgentCredentials, certificateTimes, type Identity } from './identity.ts';
import { makeKeyAndRequest } from './request.ts';
import { rootsOf } from './trust.ts';

/** The floor of the original: a poll at least this often, ms. */
export const POLL_MS = 5000;
/** Wait after being refused (401, 403) before asking again, ms. */
const REFUSED_MS = 5 * 60_000;
/**
 * Longest wait while nobody answers, ms. Half of it on average until a controller that is back is found. 5,000 gateways then knock 333
 * times a second, twice that in the first moment; a controller that shares two cores with all of them takes some 350 fresh TLS
 * connections with their polls each second, so the last of them are in after 20 s.
 */
const SILENT_CAP_MS = 15_000;
/** Longest wait when it answers, but not as it should, ms: it may have more to do than it can. */
const TROUBLED_CAP_MS = 60_000;
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
  state(state: PollState, error: string | null): void;
  clockOffset(ms: number): void;
  /** Told before each poll: how the certificate stands by the controller's clock. */
  certificate(state: CertificateState, times: CertificateTimes): void;
}

export class Poller {
  readonly #url: string;
  readonly #gatewayId: string;
  readonly #bootId: string;
  readonly #identity: Identity;
  readonly #host: PollHost;
  readonly #log: Logger;
  readonly #backoff = new Backoff(1000, SILENT_CAP_MS);
  readonly #renewBackoff = new Backoff(5000, RENEW_CAP_MS);
  readonly #clock: ControllerClock;
  #credentials: AgentCredentials;
  #client: ControllerClient;
  #renewAtUnixMs: number;
  /** A refused certificate is renewed at once, but once only. */
  #renewedForRefusal = false;
  #seq = 0;
  #nonce: string | null = null;
  #alarm = new AbortController();
  #isHurried = false;

  constructor(
    url: string,
    gatewayId: string,
    bootId: string,
    credentials: AgentCredentials,
    identity: Identity,
    host: PollHost,
    clock: ControllerClock,
    log: Logger,
  ) {
    this.#url = url;
    this.#gatewayId = gatewayId;
    this.#bootId = bootId;
    this.#credentials = credentials;
    this.#identity = identity;
    this.#host = host;
    this.#clock = clock;
    this.#log = log;
    this.#client = new ControllerClient(url, credentials.root, credentials, clock);
    this.#renewAtUnixMs = renewAt(credentials);
  }

  certificateExpiresUnixMs(): number {
    return certificateTimes(this.#credentials.chain).notAfterUnixMs;
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
    this.hurry();
  }

  /** Polls until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await this.#round(signal);
        this.#backoff.reset();
        this.#renewedForRefusal = false;
      } catch (thrown) {
        if (signal.aborted) break;
        waitMs = this.#failed(thrown);
      }
      if (waitMs > 0) await this.#nap(waitMs, signal);
    }
    await this.#client.close();
  }

  async #round(signal: AbortSignal): Promise<number> {
    if (this.#clock.unixMs() >= this.#renewAtUnixMs) await this.#tryRenew(signal);
    const times = certificateTimes(this.#credentials.chain);
    this.#host.certificate(stateOfCertificate(times, this.#clock.unixMs()), times);
    const request: PollRequest = {
      ...(await this.#host.report()),
      gatewayId: this.#gatewayId,
      bootId: this.#bootId,
      seq: ++this.#seq,
      nonce: this.#nonce,
      // The first answer comes at once: it tells whether we are known at all.
      waitMs: this.#nonce === null ? 0 : POLL_MS,
    };
    const sent = Date.now();
    const reply = await this.#post(request, signal);
    this.#nonce = reply.nextNonce;
    this.#host.state('connected', null);
    this.#offset(reply.serverTimeUnixMs, sent, Date.now(), reply.heldMs ?? 0);
    const takenWell = await this.#host.take(reply);
    return takenWell ? reply.pollAfterMs : Math.max(POLL_MS, reply.pollAfterMs);
  }

  /** One retry of the very same request when the way back was lost: the controller answers it alike. */
  async #post(request: PollRequest, signal: AbortSignal): Promise<PollReply> {
    try {
      return await this.#client.post('/vrouter/poll', request, pollReply, signal);
    } catch (thrown) {
      if (signal.aborted || toProblem(thrown).code !== 'controller.unreachable') throw thrown;
      return await this.#client.post('/vrouter/poll', request, pollReply, signal);
    }
  }

  #failed(thrown: unknown): number {
    const why = toProblem(thrown);
    if (thrown instanceof PollRefused) {
      // The controller was restarted or restored, and has another idea of what comes next. Once, that costs nothing.
      this.#nonce = thrown.nextNonce;
      this.#host.forgotten();
      return this.#backoff.nextMs() / 10;
    }
    const refused =
      why.code === 'certificate.required' || why.code === 'poll.identity' || why.code === 'vrouter.notFound';
    this.#host.state(refused ? 'refused' : 'unreachable', `${why.message} (${why.code})`);
    this.#log.warn({ code: why.code, why: why.message }, 'poll failed');
    if (why.code === 'certificate.required' && !this.#renewedForRefusal) {
      // It may be the end of it that we did not see coming, asleep or by a wrong clock; for a week it can still be renewed.
      this.#renewedForRefusal = true;
      this.#renewAtUnixMs = 0;
      return this.#backoff.nextMs(1000);
    }
    if (refused) return REFUSED_MS;
    return this.#backoff.nextMs(why.code === 'controller.unreachable' ? SILENT_CAP_MS : TROUBLED_CAP_MS);
  }

  /** A failed renewal is tried again with growing pauses and never stops the polling: the certificate still has half its life. */
  async #tryRenew(signal: AbortSignal): Promise<void> {
    try {
      await this.#renew(signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const why = toProblem(thrown);
      this.#renewAtUnixMs = this.#clock.unixMs() + this.#renewBackoff.nextMs();
      this.#log.warn({ code: why.code, why: why.message }, 'certificate not renewed');
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const pending = await this.#identity.pending(() => makeKeyAndRequest(this.#gatewayId));
    const reply = await this.#client.post('/vrouter/renew', { csr: pending.csr }, renewReply, signal);
    const credentials = {
      key: pending.key,
      chain: reply.certificateChain.join(''),
      root: this.#rootsAfter(reply.roots),
    };
    await this.#identity.save(credentials);
    const old = this.#client;
    this.#credentials = credentials;
    this.#client = new ControllerClient(this.#url, credentials.root, credentials, this.#clock);
    this.#renewAtUnixMs = renewAt(credentials);
    this.#renewBackoff.reset();
    this.#log.info({ until: new Date(this.certificateExpiresUnixMs()).toISOString() }, 'certificate renewed');
    await old.close();
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

/** Half of the certificate's life, give or take a twentieth of it, so that a fleet does not renew in step. Unix ms. */
function renewAt(credentials: AgentCredentials): number {
  const { notBeforeUnixMs, notAfterUnixMs } = certificateTimes(credentials.chain);
  const share = RENEW_AT - 0.05 + 0.1 * Math.random();
  return notBeforeUnixMs + (notAfterUnixMs - notBeforeUnixMs) * share;
}
