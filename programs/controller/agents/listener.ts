/** The gateways' listener: TLS, client certificates asked for and judged per route. README.md has the four calls. */
import { setTimeout as delay } from 'node:timers/promises';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import swagger from '@fastify/swagger';
import {
  AGENT_PROTOCOL_VERSION,
  type DiscoverReply,
  discoverReply,
  type PollReply,
  pollRefusal,
  pollReply,
  pollRequest,
  registerReply,
  registerRequest,
  renewReply,
  renewRequest,
} from '@vrouter/api/agent/agent.ts';
import { errorReply } from '@vrouter/api/rest/error.ts';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatPrefix, networkOf } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import Fastify, { type FastifyBaseLogger, type FastifyRequest, LogController } from 'fastify';
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { CertificateProvider, ServerCredentials } from '../ca/provider.ts';
import { answerErrors } from '../rest/errors.ts';
import { unreadable } from '../rest/unreadable.ts';
import { findCertificate } from '../store/certificates.ts';
import { deletedGateway } from '../store/deleted-gateways.ts';
import type { Db } from '../store/schema.ts';
import { VERSION } from '../version.ts';
import { adoptLost } from './adopt.ts';
import { type ClientCertificate, clientCertificate } from './certificate.ts';
import type { Gateway } from './gateway.ts';
import type { JoinService } from './join.ts';
import type { PollService } from './poll.ts';
import type { RenewService } from './renew.ts';
import type { Roster } from './roster.ts';

/** Clocks may differ by this much before anybody is told, ms. */
const SKEW_MS = 5 * 60_000;
const DAY_MS = 24 * 3_600_000;
/** Between two looks into the store for an intermediate that is not known, ms. */
const FOLLOW_MS = 250;
const POLL_BODY_MAX = 2 * 1024 * 1024;
const JOIN_BODY_MAX = 64 * 1024;
const CONNECTIONS_MAX = 20_000;

export interface AgentServices {
  readonly db: Db;
  readonly provider: CertificateProvider;
  readonly roster: Roster;
  readonly join: JoinService;
  readonly poll: PollService;
  readonly renew: RenewService;
  readonly controllerId: string;
  readonly unixMs: () => number;
}

interface Caller {
  readonly gateway: Gateway;
  readonly expired: boolean;
}

const description = `What a gateway and its controller say to each other, over TLS on the gateways' listener. The gateway trusts the root
whose fingerprint its join string names; every call but discover and register needs a client certificate of this controller. Every
refusal is {error: {code, message, field?}}.`;

/** Builds the listener; the caller makes it listen. */
export async function agentListener(services: AgentServices, credentials: ServerCredentials, log: FastifyBaseLogger) {
  const { provider, roster, unixMs } = services;
  const app = Fastify({
    https: {
      ...secureContext(provider, credentials),
      requestCert: true,
      // Who has none may still join; each route says what it asks for.
      rejectUnauthorized: false,
      handshakeTimeout: 10_000,
    },
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: 30_000,
    keepAliveTimeout: 75_000,
    forceCloseConnections: 'idle',
    bodyLimit: JOIN_BODY_MAX,
    ...unreadable,
  }).withTypeProvider<ZodTypeProvider>();
  app.server.maxConnections = CONNECTIONS_MAX;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerErrors(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'vrouter-controller, for gateways', version: VERSION, description },
    },
    transform: jsonSchemaTransform,
  });
  // close() waits for answers that are on their way; their connections must not linger behind them.
  app.addHook('onSend', async (_request, reply) => {
    if (services.poll.stopping) reply.header('connection', 'close');
  });

  // A connection's certificate never changes, so it is read once; whether it is still good is asked each time.
  const certificates = new WeakMap<TLSSocket, ClientCertificate | null>();

  async function certificateOf(request: FastifyRequest): Promise<ClientCertificate | null> {
    const socket = request.raw.socket as TLSSocket;
    const known = certificates.get(socket);
    if (known !== undefined) return known;
    let read = clientCertificate(socket, provider.issuers());
    if (read === null && socket.getPeerX509Certificate() !== undefined) {
      // Another controller may have begun to issue with another intermediate.
      await followOften();
      read = clientCertificate(socket, provider.issuers());
    }
    const row = read === null ? undefined : await findCertificate(services.db, read.serial);
    if (read !== null && row?.gatewayId !== read.gatewayId) {
      const adopted = row === undefined && (await adoptLost(services.db, roster, read, sourceOf(request), unixMs()));
      if (!adopted) throw (await deletion(services.db, read.gatewayId)) ?? stranger();
    }
    // One that shows a certificate which is not known yet is looked at again with its next request.
    if (read !== null || socket.getPeerX509Certificate() === undefined) certificates.set(socket, read);
    return read;
  }

  let lookedMs = Number.NEGATIVE_INFINITY;
  let upcoming: Promise<void> | null = null;
  /** A look that begins after this call, but not one for each stranger: those who come meanwhile share it. */
  function followOften(): Promise<void> {
    upcoming ??= (async () => {
      await delay(Math.max(0, lookedMs + FOLLOW_MS - performance.now()));
      lookedMs = performance.now();
      upcoming = null;
      await provider.follow();
    })();
    return upcoming;
  }

  const callers = new WeakMap<FastifyRequest['raw'], Caller>();
  const identify = (forRenewal: boolean) => async (request: FastifyRequest) => {
    const certificate = await certificateOf(request);
    const now = unixMs();
    if (certificate === null) throw needed('this call needs a client certificate that this controller has issued');
    const gateway = await roster.find(certificate.gatewayId);
    if (gateway === undefined) throw (await deletion(services.db, certificate.gatewayId)) ?? stranger();
    // The store knows that we issued it, so one from the future says that our clock was put back, and shuts nobody out.
    if (now + SKEW_MS < certificate.notBeforeUnixMs) tellOfClock(certificate.notBeforeUnixMs - now);
    const endedMs = now - certificate.notAfterUnixMs;
    if (endedMs > SKEW_MS + gateway.graceMs) {
      const message = `the client certificate ended ${daysText(endedMs)} ago by this controller's clock, too long to renew it`;
      throw needed(`${message}; join again with a new join string (vrouterctl vrouter token)`);
    }
    if (endedMs > SKEW_MS && !forRenewal)
      throw needed(`the client certificate ended ${daysText(endedMs)} ago by this controller's clock; renew it`);
    callers.set(request.raw, { gateway, expired: endedMs > 0 });
  };

  let toldUnixMs = Number.NEGATIVE_INFINITY;
  function tellOfClock(aheadMs: number): void {
    if (Math.abs(unixMs() - toldUnixMs) < 60_000) return;
    toldUnixMs = unixMs();
    log.error(
      { aheadMs },
      `a certificate of ours begins ${daysText(aheadMs)} from now: this machine's clock was put back`,
    );
  }

  app.get(
    '/vrouter/discover',
    { schema: { summary: 'Who this controller is, before anything is trusted', response: { 200: discoverReply } } },
    async (): Promise<DiscoverReply> => ({
      controllerId: services.controllerId,
      protocolVersions: [AGENT_PROTOCOL_VERSION],
      rootFingerprint: provider.rootFingerprint,
      rootCertificate: provider.rootPem,
      urls: { register: '/vrouter/register', poll: '/vrouter/poll' },
      serverTimeUnixMs: unixMs(),
    }),
  );

  app.post(
    '/vrouter/register',
    {
      schema: {
        summary: 'Join with a one-time token: a certificate for the request that comes with it',
        body: registerRequest,
        response: { 200: registerReply, '4xx': errorReply, '5xx': errorReply },
      },
    },
    async (request) => services.join.join(request.body, sourceOf(request), request.ip),
  );

  app.post(
    '/vrouter/renew',
    {
      onRequest: identify(true),
      schema: {
        summary: 'Another certificate for the same gateway',
        body: renewRequest,
        response: { 200: renewReply, '4xx': errorReply, '5xx': errorReply },
      },
    },
    async (request) => {
      const { gateway, expired } = callers.get(request.raw)!;
      return services.renew.renew(gateway, request.body.csr, sourceOf(request), expired);
    },
  );

  app.post(
    '/vrouter/poll',
    {
      onRequest: identify(false),
      bodyLimit: POLL_BODY_MAX,
      schema: {
        summary: 'What is new since the stored version; held until there is something',
        body: pollRequest,
        response: { 200: pollReply, 409: pollRefusal, '4xx': errorReply },
      },
    },
    async (request, reply) => {
      const { gateway } = callers.get(request.raw)!;
      const text = await services.poll.poll(gateway, request.body);
      // Made once and kept for a retry, so it is text already.
      return reply
        .type('application/json; charset=utf-8')
        .serializer(asText)
        .send(text as unknown as PollReply);
    },
  );
  return app;
}

/** What TLS shows and hints at; also for a listener that runs. */
export function secureContext(provider: CertificateProvider, { key, cert }: ServerCredentials): SecureContextOptions {
  const ca = [...provider.roots(), ...provider.issuers().map(({ pem }) => pem)];
  return { key, cert, ca, minVersion: 'TLSv1.2' };
}

export type AgentListener = Awaited<ReturnType<typeof agentListener>>;

function asText(text: unknown): string {
  return String(text);
}

function daysText(ms: number): string {
  return ms < 2 * DAY_MS ? `${(ms / 3_600_000).toFixed(1)} hours` : `${Math.floor(ms / DAY_MS)} days`;
}

function stranger(): ProblemError {
  const message = 'this gateway is not known here any more; join again with a new join string';
  return new ProblemError(problem('poll.identity', message));
}

/** What a gateway is told whose vrouter was deleted; null when it was not. */
export async function deletion(db: Db, gatewayId: string): Promise<ProblemError | null> {
  const row = await deletedGateway(db, gatewayId);
  if (row === undefined) return null;
  const at = new Date(row.deletedUnixMs).toISOString();
  return new ProblemError(
    problem('gateway.deleted', `the vrouter of this gateway (${row.vrouter}) was deleted at ${at}`),
  );
}

function needed(message: string): ProblemError {
  return new ProblemError(problem('certificate.required', message));
}

/** Whom the rate limits and the audit know: an IPv4 address, or the /64 that an IPv6 host can choose from at will. */
export function sourceOf(request: Pick<FastifyRequest, 'ip'>): string {
  const parsed = parseIp(request.ip.split('%')[0]!);
  if (!parsed.ok || parsed.value.length === 4) return request.ip;
  const bytes = parsed.value;
  const mapped = bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
  return mapped ? formatIp(bytes.subarray(12)) : formatPrefix(networkOf({ address: bytes, bits: 64 }));
}
