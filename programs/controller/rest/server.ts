/** The REST application: guard, documentation, routes. The caller makes it listen. */
import type { Server } from 'node:https';
import swagger from '@fastify/swagger';
import swaggerUi, { type FastifySwaggerUiConfigOptions } from '@fastify/swagger-ui';
import { ProblemError } from '@vrouter/core/problem.ts';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { Limiter } from '../agents/limiter.ts';
import type { CertificateKeeper } from '../ca/keeper.ts';
import type { Desk } from '../desk/desk.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Identity } from '../identity/identity.ts';
import type { Login } from '../login/login.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { recordAudit } from '../store/audit.ts';
import { VERSION } from '../version.ts';
import { type App, actorOf } from './app.ts';
import { caRoutes } from './ca.ts';
import { callerOf, requireCallers } from './callers.ts';
import type { RestCertificate } from './certificate.ts';
import { documentConditions } from './conditions.ts';
import { controllerRoutes } from './controllers.ts';
import { isDryRun, previewing } from './dry-run.ts';
import { takeEmptyBodies } from './empty-bodies.ts';
import { answerErrors } from './errors.ts';
import { answerTags } from './etags.ts';
import { eventRoutes } from './events.ts';
import { floatingIpRoutes } from './floating-ips.ts';
import { judgeRequest } from './guard.ts';
import { DOCS_POLICY, secureHeaders } from './headers.ts';
import { historyRoutes } from './history.ts';
import { hostInterfaceRoutes } from './host-interfaces.ts';
import { identityRoutes } from './identity.ts';
import { joinTokenRoutes } from './join-tokens.ts';
import { loginRoutes } from './login.ts';
import { natRoutes } from './nat.ts';
import { natSettingsRoutes } from './nat-settings.ts';
import { creatingOnce } from './once.ts';
import { peerRoutes } from './peers.ts';
import { portRoutes } from './ports.ts';
import { requireNeeds } from './roles.ts';
import { rotationRoutes } from './rotations.ts';
import { routeRoutes } from './routes.ts';
import { type ControllerWords, systemRoutes } from './system.ts';
import { unreadable } from './unreadable.ts';
import { versionRoutes } from './versions.ts';
import { vrouterRoutes } from './vrouters.ts';

const BODY_MAX = 1024 * 1024;

export interface RestServer {
  readonly app: App;
  /** Ends the event streams, which would outlive any patience. */
  endStreams(): void;
}

export interface RestOptions {
  /** The address that it will listen on. */
  readonly bound: string;
  /** Whether /metrics asks for no token. */
  readonly metricsOpen: boolean;
  /** How people log in; null: they do not. */
  readonly login: Login | null;
  /** What it shows over TLS; null: it does not encrypt. */
  readonly certificate: RestCertificate | null;
}

export async function restServer(
  desk: Desk,
  identity: Identity,
  keeper: CertificateKeeper,
  fleet: Fleet,
  metrics: Metrics,
  words: ControllerWords,
  { bound, metricsOpen, login, certificate }: RestOptions,
  log: FastifyBaseLogger,
): Promise<RestServer> {
  const app = Fastify({
    // Whether it is HTTPS makes no difference to routes, so their type knows of HTTP alone.
    ...(certificate === null ? {} : { https: { ...certificate.options, handshakeTimeout: 10_000 } }),
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_MAX,
    requestTimeout: 30_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    ...unreadable,
  }).withTypeProvider<ZodTypeProvider>() as unknown as App;
  certificate?.serve((options) => (app.server as unknown as Server).setSecureContext(options));
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  // Text bodies need no preflight, so a page of another site could send them.
  app.removeContentTypeParser('text/plain');
  takeEmptyBodies(app);

  app.addHook('onRequest', async (request) => {
    const why = judgeRequest(request.headers, bound, certificate);
    if (why !== null) throw new ProblemError(why);
  });
  secureHeaders(app);
  app.addHook('onResponse', async (_request, reply) => metrics.requests.inc({ status: String(reply.statusCode) }));
  requireCallers(app, identity, metricsOpen);
  requireNeeds(app);
  app.decorateRequest('terms', null);
  answerTags(app);
  documentConditions(app);
  previewing(app, desk);
  creatingOnce(app, desk);
  const guarded = new Limiter(20, 6000, desk.unixMs);
  answerErrors(app, (request, why) => {
    // Who could not say who it is was noted when that was seen.
    if (why.code === 'request.unauthenticated') return;
    if (why.code === 'request.limited' && callerOf(request) === null) return;
    // ../login tells the audit more than strangers may hear; a provider that is away is nobody's fault.
    if (why.code.startsWith('login.') && callerOf(request) === null) return;
    // Who only looks does nothing that could be refused.
    const reads = request.method === 'GET' || request.method === 'HEAD' || isDryRun(request);
    if (reads && why.code !== 'request.roleNeeded') return;
    const { name: actor, tokenId, source } = actorOf(request);
    // A page somewhere can make a browser here ask without end; the audit need not hear of each.
    if (why.code === 'request.forbidden') {
      if (guarded.waitMs(request.ip) > 0) return;
      guarded.take(request.ip);
    }
    const action = `${request.method} ${request.routeOptions.url ?? request.url.split('?')[0]}`.slice(0, 200);
    const reason = `${why.code}: ${why.message}`.slice(0, 500);
    const { name, user, id } = (request.params ?? {}) as { readonly [param: string]: string | undefined };
    const entry = { actor, tokenId, source, action, subject: name ?? user ?? id ?? null, reason };
    recordAudit(desk.db, { ...entry, atUnixMs: desk.unixMs(), outcome: 'refused' }).catch((err) =>
      request.log.error({ err }, 'the audit could not be written'),
    );
  });

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'vrouter-controller',
        version: VERSION,
        description: `Virtual routers, their gateways and peers. Every refusal is {error: {code, message, field?}}. Calls need an API
token; roles are viewer, operator and admin, and each may do what those before it may.`,
      },
      components: {
        securitySchemes: {
          apiToken: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'vra_<id>_<secret>',
            description:
              'An API token. The first is in DIR/admin-token of the controller; POST /v1/api-tokens makes more, and POST /v1/login one that ends.',
          },
        },
      },
    },
    transform: jsonSchemaTransform,
  });
  const urls = [
    { url: '/openapi.json', name: 'REST' },
    { url: '/openapi-agents.json', name: 'Gateways' },
  ];
  const uiConfig = { urls } as FastifySwaggerUiConfigOptions;
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig, staticCSP: DOCS_POLICY });

  vrouterRoutes(app, desk);
  joinTokenRoutes(app, desk);
  peerRoutes(app, desk);
  rotationRoutes(app, desk);
  routeRoutes(app, desk);
  hostInterfaceRoutes(app, desk);
  portRoutes(app, desk);
  natRoutes(app, desk);
  historyRoutes(app, desk);
  versionRoutes(app, desk);
  natSettingsRoutes(app, desk);
  floatingIpRoutes(app, desk);
  identityRoutes(app, identity);
  loginRoutes(app, login);
  caRoutes(app, keeper);
  controllerRoutes(app, fleet);
  const endStreams = eventRoutes(app, desk.events, identity);
  systemRoutes(app, desk, metrics, words);
  return { app, endStreams };
}
