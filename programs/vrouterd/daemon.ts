/**
 * The daemon: what people said on one side, a driver on the other, between them the store, the index and the reconcile loop. This
 * file introduces them to each other; what each does is in its own folder.
 */
import { PEER_SUCCESSOR } from '@vrouter/api/agent/agent.ts';
import { type Problem, ProblemError } from '@vrouter/core/problem.ts';
import type { Secret } from '@vrouter/core/secret.ts';
import type { CountingDriver, NatSessions, Neighbours, PlaneCounters } from '@vrouter/drivers/contract/counters.ts';
import type { Applied } from '@vrouter/drivers/contract/driver.ts';
import { makeSecret } from '@vrouter/host/crypto/system.ts';
import { diffKeys } from '@vrouter/intent/diff/diff.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import type { IntentSource, PeerSuccessorIntent } from '@vrouter/intent/model/intents.ts';
import type { LinkObject, ObjectKey, Observed, WireguardPeerObject } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Logger } from 'pino';
import { ControllerAgent } from './agent/agent.ts';
import type { Identity } from './agent/identity.ts';
import { parseJoinString } from './agent/join-string.ts';
import { isOfTheMachine, obeyed } from './agent/obeyed.ts';
import { readIntent, type SyncChange } from './agent/sync.ts';
import { BadIntents } from './bad-intents.ts';
import type { Allow, Config } from './config.ts';
import { Convergence } from './convergence.ts';
import { routeCounts } from './counts.ts';
import { firstOfFile } from './doors/file/first.ts';
import { fileIntents } from './doors/file/intents.ts';
import { FileTold } from './doors/file/told.ts';
import { Events } from './events.ts';
import type { Engine, Plane } from './planes/plane.ts';
import { ClockSteps, stepText } from './reconcile/clock-steps.ts';
import { Devices } from './reconcile/devices.ts';
import { Duplicates } from './reconcile/duplicates.ts';
import { ForwardDropWatch } from './reconcile/forward-drops.ts';
import { HostWatch } from './reconcile/host-watch.ts';
import { LastHeard } from './reconcile/last-heard.ts';
import { Links } from './reconcile/links.ts';
import { type ReconcileObserver, Reconciler } from './reconcile/reconciler.ts';
import { Successions } from './reconcile/successions.ts';
import { warningsOf } from './reconcile/warnings.ts';
import { Reporter } from './report.ts';
import { Keeping } from './store/keeping.ts';
import type { Store } from './store/store.ts';
import { VERSION } from './version.ts';

/** How long a poll waits for what it brought to be tried, ms; the rest is reported by a later poll. */
const APPLY_WAIT_MS = 2000;
/** How long an engine may take to be there, ms. */
const ENGINE_START_MS = 15_000;
/** Between two looks at what the plane has learnt of its peers, and at its links, ms. */
const LEARN_MS = 5000;

/** Something that is as it was said, and yet does not work. */
interface Standing {
  readonly key: ObjectKey;
  readonly problem: Problem;
}

export interface DaemonParts {
  readonly config: Config;
  readonly store: Store;
  readonly identity: Identity;
  /** Of every WireGuard interface of this gateway. */
  readonly privateKey: Secret;
  readonly plane: Plane;
  readonly log: Logger;
}

export class Daemon implements ReconcileObserver {
  readonly config: Config;
  readonly store: Store;
  readonly engine: Engine;
  readonly events = new Events();
  readonly desired: Desired;
  readonly reconciler: Reconciler;
  readonly agent: ControllerAgent;
  readonly startedUnixMs = Date.now();
  readonly badIntents = new BadIntents();
  readonly keeping: Keeping;
  readonly convergence = new Convergence();
  readonly devices = new Devices(() => this.reconciler.observed().values());
  appliedVersion = 0;
  /** Of the state that the plane was seen to have. */
  #appliedHash: string | null = null;
  readonly #driver: CountingDriver;
  readonly #log: Logger;
  readonly #lastHeard: LastHeard;
  readonly #links: Links;
  readonly #duplicates: Duplicates;
  readonly #forwardDrops: ForwardDropWatch;
  readonly #host: HostWatch;
  readonly #file: FileTold;
  readonly #successions: Successions;
  #allow: Allow;
  readonly #reporter: Reporter;
  readonly #clockSteps = new ClockSteps(Date.now, () => performance.now());
  /** Nobody has said yet what should be: what a running engine has is left as it is. */
  #knowsNothing: boolean;
  #learning: NodeJS.Timeout | undefined;

  constructor({ config, store, identity, privateKey, plane, log }: DaemonParts) {
    const { driver, firstTable } = plane;
    this.config = config;
    this.#allow = config.allow;
    this.store = store;
    this.engine = plane.engine;
    this.#driver = driver;
    this.#log = log;
    this.keeping = new Keeping(log, this.events);
    this.#lastHeard = new LastHeard(store);
    const outside = {
      tableId: (vrf: string): number => (vrf === 'default' ? 0 : store.allocate('table', vrf, firstTable)),
      privateKey: (): Secret => privateKey,
      secret: (base64: string): Secret => makeSecret(Uint8Array.fromBase64(base64)),
      deviceMtu: (device: string): number | null => plane.deviceMtu(device),
      hostNetworks: () => this.#host.networks(),
      hasSucceeded: (link: string, key: string, rotation: string) => this.#successions.has(link, key, rotation),
    };
    this.#host = new HostWatch(plane.hostNetworks, (name) =>
      this.reconciler.observed().has(`link/${name}` as ObjectKey),
    );
    this.#successions = new Successions({
      store,
      unixMs: Date.now,
      facts: () => driver.peerFacts(AbortSignal.timeout(2000)).catch(() => []),
      isTrue: (link, publicKey) => this.#isTrue(`wireguardPeer/${link}/${publicKey}` as ObjectKey),
      heard: (intent) => this.#succeeded(intent),
    });
    this.desired = new Desired(outside, driver.capabilities().kinds);
    this.#file = new FileTold(this.desired, log);
    this.reconciler = new Reconciler(this.desired, driver, log, this, (step) => this.#lastHeard.prepare(step));
    this.#reporter = new Reporter(this, driver, log);
    this.#links = new Links(this.desired, driver, this.reconciler);
    this.#duplicates = new Duplicates(driver, (found, ended) =>
      this.#tellStanding(found, ended, 'no duplicate any more'),
    );
    this.#forwardDrops = new ForwardDropWatch(plane.forwardDrops, (found, ended) =>
      this.#tellStanding(found, ended, 'no other firewall drops it any more'),
    );
    const stored = store.intents();
    const file = fileIntents(config.intents);
    for (const intent of firstOfFile(file, stored, () => this.#host.networks())) this.desired.put('file', intent);
    for (const { source, key: of, body } of stored) this.#say(source, of, body);
    this.#successions.tidy();
    this.desired.replaceSource('file', file);
    const join = config.join === null ? null : parseJoinString(config.join);
    if (join !== null && !join.ok) throw new ProblemError(join.error);
    const { controllers, onDeleted } = config;
    const said = { join: join?.value ?? null, controllers, onDeleted };
    const parts = { store, keeping: this.keeping, identity, ...said, events: this.events, log };
    this.agent = new ControllerAgent(
      {
        ...parts,
        apply: (change, committedUnixMs) => this.#apply(change, committedUnixMs),
        report: () => this.#report(),
        heard: (controller) => this.#reporter.heard(controller),
        succeeded: () => this.#successions.told(),
      },
      stored,
    );
    this.#knowsNothing = stored.length === 0 && config.intents.length === 0 && this.agent.awaitsFirstState;
  }

  /**
   * First the last good configuration, then the controller. With a database that is new there is none, and an empty one would sweep
   * away what an engine that runs already forwards: so nothing is touched before the controller has spoken.
   */
  async start(): Promise<void> {
    if (!this.#knowsNothing) this.reconciler.start();
    // An engine is started, or found, meanwhile; looking changes nothing.
    else void this.#driver.observe('all', AbortSignal.timeout(ENGINE_START_MS)).catch(() => {});
    // Also while no controller asks for statistics: where peers are must be known before it is needed.
    this.#learning = setInterval(() => {
      void this.learn();
      void this.#lookAtLinks();
      this.#lookAtHost();
      this.devices.look();
      void this.#lookAtClock();
    }, LEARN_MS);
    if (!this.#knowsNothing && (await this.reconciler.settled(APPLY_WAIT_MS))) {
      // Only now it is known which of the host's links are ours.
      if (this.#lookAtHost()) await this.reconciler.settled(APPLY_WAIT_MS);
      this.#isApplied();
    }
    this.#file.tell();
    this.#successions.watch();
    this.agent.start();
  }

  /** Somebody has said what should be. Idempotent. */
  begin(): void {
    if (this.#knowsNothing) this.reconciler.start();
    this.#knowsNothing = false;
    this.reconciler.kick();
  }

  /** Makes the file's intents what it says now, and obeys the controller as far as it now says. Throws ProblemError on the first that is wrong; then nothing has changed. */
  reload(config: Config): void {
    this.desired.replaceSource('file', fileIntents(config.intents));
    this.#allow = config.allow;
    this.agent.sayControllers(config.controllers);
    for (const { source, key, body } of this.store.intents())
      if (source === 'controller' && isOfTheMachine(key.slice(0, key.indexOf('/')))) this.#say(source, key, body);
    this.#file.tell();
    // A file without intents says no more of what should be than it did before.
    if (!this.#knowsNothing || config.intents.length > 0) this.begin();
  }

  /** The engine goes on forwarding. */
  async stop(): Promise<void> {
    clearInterval(this.#learning);
    await this.agent.stop();
    await this.#successions.stop();
    await this.reconciler.stop();
    this.#keep(this.reconciler.observed().values());
    this.store[Symbol.dispose]();
  }

  /** What the plane has learnt of every peer, without troubling it; what was known before when it is away. */
  async learn(): Promise<readonly Observed<WireguardPeerObject>[]> {
    const facts = await this.#driver.peerFacts(AbortSignal.timeout(2000)).catch(() => null);
    const byName = new Map((facts ?? []).map((fact) => [`${fact.link} ${fact.publicKey}`, fact]));
    // Looked at only now: what has been applied meanwhile is newer than what was known before.
    const known = peersOf(this.reconciler.observed().values());
    const rows = known.map((row) => {
      const fact = byName.get(`${row.object.link} ${row.object.publicKey}`);
      if (fact === undefined) return row;
      const { link: _, publicKey: __, ...learned } = fact;
      return { ...row, learned: { ...row.learned, ...learned } };
    });
    this.reconciler.refresh(rows);
    this.#keep(rows);
    // A plane need not tell when somebody takes a peer away: the kernel does not.
    const gone = known.filter(({ object }) => !byName.has(`${object.link} ${object.publicKey}`));
    if (facts !== null && gone.length > 0) this.reconciler.suspect(gone.map(({ key }) => key));
    return rows;
  }

  /** Where peers are is kept as soon as it can be; that it cannot now holds back nothing else. */
  #keep(rows: Iterable<Observed>): void {
    this.keeping.attempt(() => this.#lastHeard.save(rows));
  }

  /** Fresh facts about every peer; what was known before when the plane is away. */
  async peers(): Promise<readonly Observed<WireguardPeerObject>[]> {
    const known = peersOf(this.reconciler.observed().values());
    return this.#refresh(known);
  }

  /** The same for one WireGuard interface. */
  async peersOf(link: string): Promise<readonly Observed<WireguardPeerObject>[]> {
    return this.#refresh(peersOf(this.reconciler.observed().values()).filter((peer) => peer.object.link === link));
  }

  /** The plane's links as they are now; null when it does not say. */
  async links(): Promise<readonly Observed<LinkObject>[] | null> {
    return this.#links.look();
  }

  /** Sends to a peer at this endpoint from now on, wherever it was heard; sessions go on. */
  move(link: string, publicKey: string, endpoint: string): void {
    this.#lastHeard.said(link, publicKey, endpoint);
    this.reconciler.sayAnew(`wireguardPeer/${link}/${publicKey}` as ObjectKey, 'endpoint');
  }

  async #lookAtClock(): Promise<void> {
    const backMs = this.#clockSteps.look();
    if (backMs === 0) return;
    const peers = (await this.learn()).map(({ key, object, learned }) => {
      const intent = this.desired.intentsOf(key)[0]?.intent;
      const { lastHandshakeUnixMs: at } = learned;
      return {
        name: intent?.kind === 'peer' ? intent.name : object.publicKey,
        lastHandshakeUnixMs: typeof at === 'number' ? at : null,
      };
    });
    const text = stepText(backMs, peers, Date.now());
    this.#log.warn({ backMs: Math.round(backMs) }, text);
    this.events.emit('problem', text);
  }

  async #lookAtLinks(): Promise<void> {
    const links = await this.#links.look();
    if (links !== null) await this.#duplicates.look(links);
    await this.#forwardDrops.look(this.reconciler.observed());
  }

  /** Networks that the host was in the way of may be made now. True: they are compiled again. */
  #lookAtHost(): boolean {
    if (!this.#host.hasChanged()) return false;
    this.desired.changed('hostNetworks');
    this.reconciler.kick();
    this.#file.tell();
    return true;
  }

  /** `over`: what is said of one that ended. */
  #tellStanding(found: readonly Standing[], ended: readonly ObjectKey[], over: string): void {
    for (const { key, problem: what } of found) {
      this.#log.warn({ key, code: what.code }, what.message);
      this.events.emit('problem', `${key} ${what.message}`);
    }
    for (const key of ended) this.#log.info({ key }, over);
  }

  async counters(): Promise<PlaneCounters> {
    return this.#driver.counters(AbortSignal.timeout(2000));
  }

  /** NAT sessions of the plane, at most `limit` of them; and its rules and pools looked at anew. */
  async nat(limit: number): Promise<{ readonly told: NatSessions; readonly rows: readonly Observed[] }> {
    const signal = AbortSignal.timeout(2000);
    const keys = [...this.reconciler.observed().keys()].filter((key) => key.startsWith('nat'));
    const rows = keys.length === 0 ? [] : await this.#driver.observe(keys, signal);
    return { told: await this.#driver.natSessions(limit, signal), rows };
  }

  /** Ethernet ports of the plane, and at most `limit` of their neighbours. */
  async neighbours(limit: number): Promise<Neighbours> {
    return this.#driver.neighbours(limit, AbortSignal.timeout(2000));
  }

  confirmHeld(): { readonly version: number } {
    return this.agent.confirmHeld();
  }

  /** Ends the engine, and with it all forwarding, until `startEngine`. */
  async stopEngine(): Promise<{ readonly stopped: boolean }> {
    return { stopped: await this.engine.stop() };
  }

  /** Starts the engine again and fills it. */
  async startEngine(): Promise<{ readonly started: boolean }> {
    this.engine.allow();
    this.begin();
    return { started: await this.reconciler.settled(10_000) };
  }

  applied(steps: readonly Step[], results: readonly Applied[]): void {
    this.keeping.attempt(() => this.#lastHeard.applied(results, steps));
    if (steps.some((step) => step.key.startsWith('wireguardDevice/'))) this.devices.look();
    this.#keep(results.flatMap(({ now }) => (now?.object.kind === 'link' ? [now] : [])));
    for (const { key, text, facts } of warningsOf(steps, results, this.reconciler.observed().values())) {
      this.#log.warn(facts, text);
      this.events.emit('problem', `${key} ${text}`);
    }
    for (const [index, step] of steps.entries()) {
      const result = results[index];
      const outcome = result?.ok === false ? `failed: ${result.error.message} (${result.error.code})` : 'done';
      this.events.emit(result?.ok === false ? 'problem' : 'step', `${step.op} ${step.key} [${step.effect}] ${outcome}`);
    }
  }

  drifted(steps: readonly Step[]): void {
    this.#log.warn({ steps: steps.length, first: steps[0]?.key }, 'somebody else changed the plane; put back');
    for (const step of steps) this.events.emit('problem', `drift: ${step.op} ${step.key}`);
  }

  planeAway(why: { readonly message: string }): void {
    this.events.emit('engine', `away: ${why.message}`);
  }

  async #apply(change: SyncChange, committedUnixMs: number | null): Promise<void> {
    this.convergence.begins(change.version, committedUnixMs);
    for (const key of change.remove) {
      this.badIntents.delete('controller', key);
      this.#successions.gone(key);
      this.desired.remove('controller', key);
    }
    for (const { key, body } of change.put) this.#say('controller', key, body);
    this.begin();
    this.#successions.watch();
    if (await this.reconciler.settled(APPLY_WAIT_MS)) this.#isApplied();
  }

  /** What is stored has been tried on the plane. */
  #isApplied(): void {
    this.appliedVersion = this.agent.storedVersion;
    this.#appliedHash = this.agent.storedHash;
    this.convergence.applied(this.appliedVersion, this.agent.controllerUnixMs);
  }

  /** One intent that cannot be read holds back no other; what it said before is taken back. */
  #say(source: IntentSource, key: SyncChange['remove'][number], body: unknown): void {
    const read = readIntent(key, body);
    const isFar = read.ok && source === 'controller';
    const intent = isFar ? obeyed(read.value, this.#allow, this.#features().length > 0) : read;
    if (intent.ok) {
      this.badIntents.delete(source, key);
      if (intent.value.kind === 'peerSuccessor') this.#successions.said(intent.value);
      this.desired.put(source, intent.value);
      return;
    }
    this.#successions.gone(key);
    this.desired.remove(source, key);
    this.badIntents.put({ source, key, problem: intent.error });
    this.#log.warn({ key, code: intent.error.code, why: intent.error.message }, 'intent cannot be used');
  }

  #features(): string[] {
    return this.#driver.capabilities().keyOverlap === true ? [PEER_SUCCESSOR] : [];
  }

  #isTrue(key: ObjectKey): boolean {
    const should = this.desired.desired(key);
    const is = this.reconciler.observed().get(key);
    return (
      should !== undefined &&
      is !== undefined &&
      diffKeys(
        [key],
        () => should,
        () => is,
      ).length === 0
    );
  }

  /** The next key of a peer has been heard: its allowed IPs are with that one now. */
  #succeeded({ interface: link, publicKey, nextPublicKey }: PeerSuccessorIntent): void {
    this.desired.changed(`succession/${link}/${publicKey}`);
    this.reconciler.kick();
    this.agent.hurry();
    const what = publicKey === nextPublicKey ? 'its new preshared key' : `its new key ${nextPublicKey}`;
    this.#log.info({ link, peer: publicKey, next: nextPublicKey }, 'a peer has changed to its new key');
    this.events.emit('poll', `peer ${publicKey} of ${link} was heard with ${what}`);
  }

  async #report() {
    const late = this.appliedVersion < this.agent.storedVersion;
    if (late && (await this.reconciler.settled(0))) this.#isApplied();
    return {
      appliedVersion: this.appliedVersion,
      appliedHash: this.#appliedHash,
      ...(await this.#reporter.report()),
      errors: this.problems().slice(0, 100),
      plane: this.#driver.capabilities().plane,
      version: VERSION,
      features: this.#features(),
    };
  }

  /** All that is not as it was said, and why. */
  problems(): { key: string; code: string; message: string }[] {
    const all = [
      ...this.badIntents.all(),
      ...this.desired.problems(),
      ...this.reconciler.failing(),
      ...this.standing(),
    ];
    const { problem: trouble } = this.keeping;
    const store = trouble === null ? [] : [{ key: 'store', problem: trouble }];
    return [...store, ...all].map(({ key, problem: { code, message } }) => ({ key, code, message }));
  }

  /** What is as it was said and yet does not work, by the object that it is about. */
  *standing(): Generator<Standing, void, undefined> {
    yield* this.#duplicates.all();
    yield* this.#forwardDrops.all();
  }

  /** Routes by VRF: those that the plane has, and those that it could not take. */
  routeCounts(): { [vrf: string]: { programmed: number; failed: number } } {
    return routeCounts(
      this.reconciler.observed().keys(),
      this.reconciler.failing().map(({ key }) => key),
    );
  }

  /** Translations that are alive; null where nothing is translated. */
  async natSessionCount(): Promise<number | null> {
    for (const key of this.reconciler.observed().keys())
      if (key.startsWith('nat')) return (await this.#driver.natSessions(1, AbortSignal.timeout(2000))).total;
    return null;
  }

  async #refresh(peers: readonly Observed<WireguardPeerObject>[]): Promise<readonly Observed<WireguardPeerObject>[]> {
    if (peers.length === 0) return peers;
    try {
      const keys = peers.map((peer) => peer.key);
      const rows = await this.#driver.observe(keys, AbortSignal.timeout(2000));
      this.reconciler.refresh(rows);
      this.#keep(rows);
      return peersOf(rows);
    } catch {
      return peers;
    }
  }
}

function peersOf(rows: Iterable<Observed>): Observed<WireguardPeerObject>[] {
  const peers: Observed<WireguardPeerObject>[] = [];
  for (const row of rows) if (row.object.kind === 'wireguardPeer') peers.push(row as Observed<WireguardPeerObject>);
  return peers;
}
