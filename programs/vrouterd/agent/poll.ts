/**
 * The poll loop: asks at least every five seconds, hears of a change at once because the controller holds the question until it has
 * news, renews the certificate at half its life, and backs off when nobody answers. The plane forwards on, whatever happens here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type PollReply, type PollRequest, pollReply, renewReply } from '@vrouter/api/agent/agent.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import type { Logger } from 'pino';
import { Backoff } from './backoff.ts';
import { ControllerClient, PollRefused } from './client.ts';
import { type AgentCredentials, certificateTimes, type Identity } from './identity.ts';
import { makeKeyAndRequest } from './request.ts';

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
const RENEW_RETRY_MS = 60_000;

/** The part of a request that tells of the gateway's state. */
export type PollReport = Omit<PollRequest, 'gatewayId' | 'bootId' | 'seq' | 'nonce' | 'waitMs'>;

export type PollState = 'connected' | 'unreachable' | 'refused';

/** What the loop needs of the daemon. */
export interface PollHost {
  /** The state part of the next request. */
  report(): Promise<PollReport>;
  /** Stores and applies a reply; resolves when it has been tried. False: ask again no sooner than the floor. */
  take(reply: PollReply): Promise<boolean>;
  state(state: PollState, error: string | null): void;
  clockOffset(ms: number): void;
}

export class Poller {
  readonly #url: string;
  readonly #gatewayId: string;
  readonly #bootId: string;
  readonly #identity: Identity;
  readonly #host: PollHost;
  readonly #log: Logger;
  readonly #backoff = new Backoff(1000, SILENT_CAP_MS);
  readonly #offsets: number[] = [];
  #credentials: AgentCredentials;
  #client: ControllerClient;
  #renewAtUnixMs: number;
  #seq = 0;
  #nonce: string | null = null;
  #alarm = new AbortController();

  constructor(
    url: string,
    gatewayId: string,
    bootId: string,
    credentials: AgentCredentials,
    identity: Identity,
    host: PollHost,
    log: Logger,
  ) {
    this.#url = url;
    this.#gatewayId = gatewayId;
    this.#bootId = bootId;
    this.#credentials = credentials;
    this.#identity = identity;
    this.#host = host;
    this.#log = log;
    this.#client = new ControllerClient(url, credentials.root, credentials);
    this.#renewAtUnixMs = renewAt(credentials);
  }

  certificateExpiresUnixMs(): number {
    return certificateTimes(this.#credentials.chain).notAfter;
  }

  /** Ends the wait between two polls. */
  hurry(): void {
    this.#alarm.abort();
  }

  async #nap(ms: number, signal: AbortSignal): Promise<void> {
    this.#alarm = new AbortController();
    await delay(ms, undefined, { signal: AbortSignal.any([signal, this.#alarm.signal]) }).catch(() => {});
  }

  /** Another certificate with the next poll, however long the present one is good. */
  renewSoon(): void {
    this.#renewAtUnixMs = 0;
  }

  /** Polls until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await this.#round(signal);
        this.#backoff.reset();
      } catch (thrown) {
        if (signal.aborted) break;
        waitMs = this.#failed(thrown);
      }
      if (waitMs > 0) await this.#nap(waitMs, signal);
    }
    await this.#client.close();
  }

  async #round(signal: AbortSignal): Promise<number> {
    if (Date.now() >= this.#renewAtUnixMs) await this.#tryRenew(signal);
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
      return this.#backoff.nextMs() / 10;
    }
    const refused =
      why.code === 'certificate.required' || why.code === 'poll.identity' || why.code === 'vrouter.notFound';
    this.#host.state(refused ? 'refused' : 'unreachable', `${why.message} (${why.code})`);
    this.#log.warn({ code: why.code, why: why.message }, 'poll failed');
    if (refused) return REFUSED_MS;
    return this.#backoff.nextMs(why.code === 'controller.unreachable' ? SILENT_CAP_MS : TROUBLED_CAP_MS);
  }

  /** A failed renewal is tried again in a minute and never stops the polling: the certificate still has half its life. */
  async #tryRenew(signal: AbortSignal): Promise<void> {
    try {
      await this.#renew(signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const why = toProblem(thrown);
      this.#renewAtUnixMs = Date.now() + RENEW_RETRY_MS;
      this.#log.warn({ code: why.code, why: why.message }, 'certificate not renewed');
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const pending = await this.#identity.pending(() => makeKeyAndRequest(this.#gatewayId));
    const reply = await this.#client.post('/vrouter/renew', { csr: pending.csr }, renewReply, signal);
    const credentials = { key: pending.key, chain: reply.certificateChain.join(''), root: this.#credentials.root };
    await this.#identity.save(credentials);
    const old = this.#client;
    this.#credentials = credentials;
    this.#client = new ControllerClient(this.#url, credentials.root, credentials);
    this.#renewAtUnixMs = renewAt(credentials);
    this.#log.info({ until: new Date(this.certificateExpiresUnixMs()).toISOString() }, 'certificate renewed');
    await old.close();
  }

  /** Half of what the round trip took besides being held is the way back (Cristian's method). */
  #offset(serverUnixMs: number, sentUnixMs: number, receivedUnixMs: number, heldMs: number): void {
    this.#offsets.push(serverUnixMs - receivedUnixMs + (receivedUnixMs - sentUnixMs - heldMs) / 2);
    if (this.#offsets.length > 8) this.#offsets.shift();
    const sorted = [...this.#offsets].sort((a, b) => a - b);
    this.#host.clockOffset(sorted[Math.floor(sorted.length / 2)]!);
  }
}

/** Half of the certificate's life, give or take a twentieth of it, so that a fleet does not renew in step. Unix ms. */
function renewAt(credentials: AgentCredentials): number {
  const { notBefore, notAfter } = certificateTimes(credentials.chain);
  return notBefore + (notAfter - notBefore) * (0.45 + 0.1 * Math.random());
}
