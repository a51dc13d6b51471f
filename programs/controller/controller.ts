/** The running controller: everything introduced to everything, started in order, stopped in reverse. */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { stateOfCertificate } from '@vrouter/api/agent/lifetime.ts';
import type { VersionReply } from '@vrouter/api/rest/system.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { lockFolder } from '@vrouter/host/files/lock.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { JoinService } from './agents/join.ts';
import { agentListener, deletion, secureContext } from './agents/listener.ts';
import { PollService } from './agents/poll.ts';
import { RenewService } from './agents/renew.ts';
import { Roster } from './agents/roster.ts';
import { IssuerBook } from './ca/issuer-book.ts';
import { CertificateKeeper } from './ca/keeper.ts';
import { openProvider } from './ca/open.ts';
import { shareRoot } from './ca/shared-root.ts';
import { Desired } from './desired/desired.ts';
import { Follower } from './desired/follower.ts';
import type { Desk } from './desk/desk.ts';
import { EventBus } from './events/bus.ts';
import { Fleet } from './fleet/fleet.ts';
import { History } from './history/history.ts';
import { adminNotice, ensureFirstAdmin, resetAdmin } from './identity/first-admin.ts';
import { Identity } from './identity/identity.ts';
import { Login } from './login/login.ts';
import { NONCE_KEY_BYTES } from './login/nonce.ts';
import type { LoginOptions } from './login/options.ts';
import { Provider } from './login/provider.ts';
import { type CertificateMetric, Metrics } from './metrics/metrics.ts';
import { type Address, agentNames, agentUrls, hostPort, type Options } from './options.ts';
import { RestCertificate } from './rest/certificate.ts';
import { ANSWER_MEMORY_MS } from './rest/once.ts';
import { restServer } from './rest/server.ts';
import { rotatingOf } from './rotation/counts.ts';
import { RotationWatch } from './rotation/watch.ts';
import { forgetAnswers } from './store/answers.ts';
import { forgetCertificates } from './store/certificates.ts';
import { readCounters } from './store/counters.ts';
import { forgetDeletedGateways } from './store/deleted-gateways.ts';
import { openStore } from './store/open.ts';
import { storeBackend } from './store/place.ts';
import { forgetRotations } from './store/rotations.ts';
import { readSetting, settle } from './store/settings.ts';
import { VERSION } from './version.ts';

/** How often what polls have told is written down and lost gateways are looked for, ms. */
const FLUSH_MS = 5000;
/** How often certificates are looked after, ms. */
const CERTIFICATES_MS = 15_000;
const FORGET_MS = 3_600_000;
/** How often what has passed is added to the history; its finest steps are as long. ms. */
const HISTORY_MS = 60_000;
/** Certificates are forgotten this long after their end; longer than they can be renewed. ms. */
const CERTIFICATE_MEMORY_MS = 30 * 24 * 3_600_000;
/** Rotations that are over are shown this long after their beginning, ms. */
const ROTATION_MEMORY_MS = 365 * 24 * 3_600_000;
/** Connections that are still open so long after stop() are cut, ms. */
const STOP_MS = 1200;

export interface Running {
  /** URLs as they really are, ports filled in. */
  readonly rest: string;
  readonly agents: string;
  /** Reads again what may have changed in files: the certificate of REST. Never throws. */
  reload(): void;
  /** Answers held polls, closes listeners and store; a second call waits for the first. */
  stop(): Promise<void>;
}

/**
 * Starts a controller on the folder `options.data`. `tellPeople` is handed what is not for the log: at the first start the token of
 * its administrator. Throws ProblemError: `config.invalid`, `data.inUse`, `data.unwritable`, `data.corrupt`,
 * `store.unavailable`, `port.inUse`, `port.denied`, `address.invalid`.
 */
export async function startController(
  options: Options,
  log: FastifyBaseLogger,
  tellPeople: (text: string) => void = () => undefined,
): Promise<Running> {
  const unixMs = Date.now;
  const startedUnixMs = unixMs();
  await using undo = new AsyncDisposableStack();
  ensurePrivateFolder(options.data);
  undo.use(lockFolder(options.data));
  // It tells where we listen, so it is there only while we do.
  const wherePath = join(options.data, 'controller.json');
  rmSync(wherePath, { force: true });

  const backend = storeBackend(options.data, options.store ?? null);
  const db = await openStore(backend, { told: (text) => log.info(text) });
  undo.defer(() => db.destroy());
  const controllerId = await settle(db, 'controllerId', randomUUID());
  const known = await readSetting(db, 'rootFingerprint');
  const authorityFolder = join(options.data, 'ca');
  const { caKeyFile = null, stepCa = null } = options;
  if (caKeyFile !== null) await shareRoot(db, authorityFolder, caKeyFile, known, unixMs);
  const book = new IssuerBook(db, unixMs);
  const provider = await openProvider(authorityFolder, stepCa, known, unixMs, book);
  if ((await settle(db, 'rootFingerprint', provider.rootFingerprint)) !== provider.rootFingerprint)
    throw new ProblemError(problem('data.corrupt', otherRoot(options.data, backend.where)));

  const desired = new Desired(db, unixMs, backend.feed);
  for (const vrouter of await desired.load())
    log.warn({ vrouter }, 'the stored hash was not that of the intents; its gateway gets everything anew');
  const roster = new Roster(db, options.certificateGraceMs, backend.feed.shared);
  await roster.load();
  const follower = new Follower(desired, roster, backend.feed, log);
  await follower.start();
  undo.defer(() => follower.stop());
  const events = new EventBus(unixMs);
  const metrics = new Metrics();
  let fleet: Fleet | null = null;
  metrics.watch({
    gateways: () => gatewayCounts(roster),
    madeKeys: () => [...roster.all()].filter((gateway) => gateway.hasMadeKey).length,
    vrouters: () => desired.all().length,
    lifetime: () => readCounters(db),
    rotating: async () => {
      const found = await rotatingOf({ db, roster, unixMs });
      return new Map([...found].map(([id, counts]) => [desired.byId(id)?.row.name ?? id, counts]));
    },
    certificates: () => certificatesOf(roster, desired, unixMs()),
    controllers: () => fleet?.list() ?? [],
    clockOffsets: () => clockOffsetsOf(roster, desired),
    authority: () => ({ working: provider.health().state === 'working', issuers: provider.issuers() }),
  });

  const identity = new Identity(db, metrics, unixMs);
  const firstAdmin = await ensureFirstAdmin(identity, options.data);
  if (firstAdmin !== null) {
    log.warn({ path: firstAdmin.path }, 'first start: the user admin was made, with a token; move the file away');
    tellPeople(adminNotice(firstAdmin));
  }

  const login = options.login == null ? null : await openLogin(options.login, identity, metrics, log);

  const names = agentNames(options);
  // Nobody joins or polls before the listener has its port, and with it this controller its place among the others.
  const controllers = () => fleet?.told() ?? [];
  const makesKeys = options.allowControllerMadeKeys ?? false;
  if (makesKeys)
    log.warn('gateways that send no certificate request get keys that are made here; switch it off once none needs it');
  const joins = new JoinService(
    db,
    desired,
    roster,
    provider,
    events,
    metrics,
    controllerId,
    unixMs,
    controllers,
    makesKeys,
  );
  const history = new History(db, unixMs);
  const { rootFingerprint } = provider;
  const desk: Desk = { db, desired, roster, events, unixMs, agentsUrls: () => fleet?.urls() ?? [], rootFingerprint };
  const rotations = new RotationWatch(desk, log.child({ part: 'rotations' }));
  const poll = new PollService(desired, history, events, metrics, rotations, unixMs, {
    controllers,
    deleted: (gatewayId) => deletion(db, gatewayId),
  });
  const renew = new RenewService(db, desired, provider, events, unixMs);
  const hosts = names.all;
  const keeperLog = log.child({ part: 'certificates' });
  const keeper = await CertificateKeeper.start({
    db,
    provider,
    desired,
    roster,
    events,
    hosts,
    unixMs,
    log: keeperLog,
  });
  const agents = await agentListener(
    { db, provider, roster, join: joins, poll, renew, controllerId, unixMs },
    keeper.server,
    log.child({ part: 'agents' }),
  );
  const restCertificate = certificateOfRest(options, keeper, unixMs, log.child({ part: 'rest' }));
  keeper.serve((credentials) => {
    agents.server.setSecureContext(secureContext(provider, credentials));
    if (options.restTls === 'authority') restCertificate?.replace(credentials);
  });
  if (restCertificate !== null) metrics.watchRestCertificate(restCertificate);
  const agentsPort = await listen(agents, options.agents, '--agents');
  undo.defer(() => agents.close());
  const urls = agentUrls(options, agentsPort);
  const agentsUrl = urls[0]!;
  const entered = await Fleet.enter({
    db,
    shared: backend.feed.shared,
    dataFolder: options.data,
    urls,
    events,
    unixMs,
    log: log.child({ part: 'fleet' }),
  });
  fleet = entered;

  const version = (): VersionReply => ({
    name: 'vrouter-controller',
    version: VERSION,
    controllerId,
    rootFingerprint,
    agents: agentsUrl,
    startedUnixMs,
    dryRuns: true,
  });
  const words = { version, agentsDocument: () => agents.swagger() };
  const restOptions = {
    bound: options.rest.host,
    metricsOpen: options.metricsOpen ?? false,
    login,
    certificate: restCertificate,
  };
  const rest = await restServer(
    desk,
    identity,
    keeper,
    entered,
    metrics,
    words,
    restOptions,
    log.child({ part: 'rest' }),
  );
  const restPort = await listen(rest.app, options.rest, '--rest');
  undo.defer(() => rest.app.close());
  const restUrl = `${restCertificate === null ? 'http' : 'https'}://${hostPort(options.rest.host, restPort)}`;

  const unsubscribe = events.subscribe(({ type, vrouter, subject, version: at, text }) =>
    log.info({ event: type, vrouter, subject, version: at }, text),
  );
  const unwatch = keeper.watch();
  const timers = [
    setInterval(() => keepUp(roster, desired, events, unixMs, log), FLUSH_MS),
    setInterval(() => rotations.tick().catch(failed(log)), FLUSH_MS),
    setInterval(() => forgetRotations(db, unixMs() - ROTATION_MEMORY_MS).catch(failed(log)), FORGET_MS),
    setInterval(() => identity.flush().catch(failed(log)), FLUSH_MS),
    setInterval(() => restCertificate?.look(), FLUSH_MS),
    setInterval(() => identity.forget().catch(failed(log)), FORGET_MS),
    setInterval(() => keeper.tick(), CERTIFICATES_MS),
    setInterval(() => entered.tick().catch(failed(log)), FLUSH_MS),
    setInterval(() => history.flush().catch(failed(log)), HISTORY_MS),
    setInterval(() => history.prune().catch(failed(log)), FORGET_MS),
    setInterval(() => forgetCertificates(db, unixMs() - CERTIFICATE_MEMORY_MS).catch(failed(log)), FORGET_MS),
    setInterval(() => forgetDeletedGateways(db, unixMs() - CERTIFICATE_MEMORY_MS).catch(failed(log)), FORGET_MS),
    setInterval(() => forgetAnswers(db, unixMs() - ANSWER_MEMORY_MS).catch(failed(log)), FORGET_MS),
  ];

  const where = {
    pid: process.pid,
    version: VERSION,
    rest: restUrl,
    agents: agentsUrl,
    agentsPort,
    restPort,
    rootFingerprint,
  };
  await writeFileDurably(wherePath, `${JSON.stringify(where, null, 2)}\n`, 0o600);
  log.info({ rest: restUrl, agents: agentsUrl, rootFingerprint }, 'listening');

  const held = undo.move();
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    for (const timer of timers) clearInterval(timer);
    rmSync(wherePath, { force: true });
    poll.stop();
    for (const gateway of roster.all()) for (const waiting of [...gateway.held]) waiting.end('stopping');
    rest.endStreams();
    // Answers that are on their way get there; whoever is silent is cut off.
    const cut = setTimeout(() => {
      agents.server.closeAllConnections();
      rest.app.server.closeAllConnections();
    }, STOP_MS);
    // What a store that is away has not been told, the gateways tell again.
    await roster.flush().catch(failed(log));
    await history.flush().catch(failed(log));
    await identity.flush().catch(failed(log));
    await entered.leave().catch(failed(log));
    await held.disposeAsync();
    clearTimeout(cut);
    unsubscribe();
    unwatch();
  };
  const reload = (): void => restCertificate?.look(true);
  return { rest: restUrl, agents: agentsUrl, reload, stop: () => (stopping ??= stop()) };
}

/** What REST shows over TLS; null when it does not encrypt. Throws `config.invalid` when files cannot be used. */
function certificateOfRest(
  { restTls }: Options,
  keeper: CertificateKeeper,
  unixMs: () => number,
  log: FastifyBaseLogger,
): RestCertificate | null {
  if (restTls == null) return null;
  if (restTls === 'authority') return RestCertificate.of(keeper.server, unixMs, log);
  return RestCertificate.ofFiles(restTls, unixMs, log);
}

/** How people log in. Nothing is asked of their provider yet, which may be away. */
async function openLogin(
  { provider, rules }: LoginOptions,
  identity: Identity,
  metrics: Metrics,
  log: FastifyBaseLogger,
): Promise<Login> {
  const fresh = randomBytes(NONCE_KEY_BYTES).toString('base64url');
  const nonceKey = Buffer.from(await settle(identity.db, 'loginNonceKey', fresh), 'base64url');
  const asked = new Provider(provider, log.child({ part: 'login' }), identity.unixMs);
  log.info({ issuer: provider.issuer, clientId: provider.clientId }, 'people log in by OpenID Connect');
  return new Login(identity, asked, rules, nonceKey, metrics);
}

/** Two that start on one empty database at once each make a root, and one of them is first. */
function otherRoot(data: string, where: string): string {
  return `the gateways of ${where} know another root certificate than ${join(data, 'ca')} has; start it on a new data folder with --ca-key-file and the key file of the others, or copy the folder ca/ from the controller that was first, with its mode`;
}

/**
 * Makes a fresh token of the user `admin` in the store of a controller that does not run. Throws ProblemError: `data.inUse` when it
 * does, `usage` when there is none.
 */
export async function resetAdminOf(options: Options, tellPeople: (text: string) => void): Promise<void> {
  const store = options.store ?? null;
  if (!existsSync(join(options.data, store === null ? 'controller.db' : 'ca')))
    throw new ProblemError(problem('usage', `${options.data} is no data folder of a controller`, '--data'));
  using _lock = lockFolder(options.data);
  const db = await openStore(storeBackend(options.data, store));
  try {
    tellPeople(adminNotice(await resetAdmin(new Identity(db, new Metrics(), Date.now), options.data)));
  } finally {
    await db.destroy();
  }
}

/** Listens; returns the port. */
async function listen(app: Pick<FastifyInstance, 'listen' | 'server'>, { host, port }: Address, option: string) {
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
    const where = hostPort(host, port);
    if (code === 'EADDRINUSE')
      throw new ProblemError(
        problem('port.inUse', `${where} is taken by another program; choose another port with ${option}`, option),
      );
    if (code === 'EACCES')
      throw new ProblemError(
        problem('port.denied', `${where} is not for this user; choose a port above 1023 with ${option}`, option),
      );
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      throw new ProblemError(
        problem('address.invalid', `${host} is no address of this machine; choose another with ${option}`, option),
      );
    throw thrown;
  }
  return (app.server.address() as AddressInfo).port;
}

function gatewayCounts(roster: Roster): { registered: number; connected: number; held: number } {
  const counts = { registered: 0, connected: 0, held: 0 };
  for (const gateway of roster.all()) {
    counts.registered++;
    if (gateway.connected) counts.connected++;
    counts.held += gateway.held.size;
  }
  return counts;
}

function* clockOffsetsOf(roster: Roster, desired: Desired): Generator<readonly [string, number]> {
  for (const { clockOffsetMs, vrouterId } of roster.all())
    if (clockOffsetMs !== null) yield [desired.byId(vrouterId)?.row.name ?? vrouterId, clockOffsetMs / 1000];
}

/** What the metrics tell of each gateway's certificate. */
function* certificatesOf(roster: Roster, desired: Desired, nowUnixMs: number): Generator<CertificateMetric> {
  for (const { certificate, lockoutUnixMs, vrouterId } of roster.all()) {
    if (certificate === null || lockoutUnixMs === null) continue;
    const vrouter = desired.byId(vrouterId)?.row.name ?? vrouterId;
    const expirySeconds = (certificate.notAfterUnixMs - nowUnixMs) / 1000;
    const state = stateOfCertificate(certificate, nowUnixMs);
    yield { vrouter, state, expirySeconds, lockoutSeconds: (lockoutUnixMs - nowUnixMs) / 1000 };
  }
}

function keepUp(
  roster: Roster,
  desired: Desired,
  events: EventBus,
  unixMs: () => number,
  log: FastifyBaseLogger,
): void {
  roster.flush().catch(failed(log));
  for (const gateway of roster.sweep(unixMs())) {
    const vrouter = desired.byId(gateway.vrouterId)?.row.name ?? gateway.vrouterId;
    const text = `the gateway of ${vrouter} was not heard for a while`;
    events.emit({ type: 'gateway.lost', vrouter, subject: gateway.id, version: null, text });
  }
}

function failed(log: FastifyBaseLogger): (err: unknown) => void {
  return (err) => log.error({ err }, 'housekeeping failed');
}
