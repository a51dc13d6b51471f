/**
 * A gateway as it is behind its connection: the controller's own answers to polls, judged by vrouterd's own state machine, compiled,
 * planned and done by its own reconcile loop on a plane in memory that refuses what comes in a wrong order. No sockets.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type PollReply, pollReply } from '@vrouter/api/agent/agent.ts';
import type { Secret } from '@vrouter/core/secret.ts';
import { FakeDriver } from '@vrouter/drivers/fake/fake.ts';
import { makeSecret } from '@vrouter/host/crypto/system.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { planeKinds } from '@vrouter/intent/testing/outside.ts';
import { pino } from 'pino';
import type { Gateway } from '../../programs/controller/agents/gateway.ts';
import { PollService } from '../../programs/controller/agents/poll.ts';
import { sha256 } from '../../programs/controller/ca/keys.ts';
import { History } from '../../programs/controller/history/history.ts';
import { Metrics } from '../../programs/controller/metrics/metrics.ts';
import { RotationWatch } from '../../programs/controller/rotation/watch.ts';
import type { GatewayRow } from '../../programs/controller/store/gateways.ts';
import { insertGateway } from '../../programs/controller/store/gateways.ts';
import type { TestDesk } from '../../programs/controller/testing/store.ts';
import { ControllerState, readIntent } from '../../programs/vrouterd/agent/sync.ts';
import { defaultTuning, Reconciler } from '../../programs/vrouterd/reconcile/reconciler.ts';

const SETTLE_MS = 20_000;

export interface Done {
  /** What its reconcile did, in order. */
  readonly steps: readonly Step[];
  /** What it tells of what it could not make true. */
  readonly problems: readonly { readonly key: string; readonly code: string; readonly message: string }[];
  /** It holds the change back. */
  readonly held: string | null;
}

export class PlaneGateway {
  readonly #polls: PollService;
  readonly #gateway: Gateway;
  readonly #state = new ControllerState(sha256, 0, []);
  readonly #driver = new FakeDriver(planeKinds);
  readonly #desired: Desired;
  readonly #reconciler: Reconciler;
  readonly #bootId = randomBytes(8).toString('hex');
  #steps: Step[] = [];
  #held: { version: number; removes: number; reason: string } | null = null;
  #seq = 0;
  #nonce: string | null = null;

  private constructor(polls: PollService, gateway: Gateway) {
    this.#polls = polls;
    this.#gateway = gateway;
    const tables = new Map<string, number>();
    const privateKey = makeSecret(randomBytes(32));
    const outside = {
      tableId: (vrf: string): number => {
        tables.set(vrf, tables.get(vrf) ?? (vrf === 'default' ? 0 : 1 + tables.size));
        return tables.get(vrf)!;
      },
      privateKey: (): Secret => privateKey,
      secret: (base64: string): Secret => makeSecret(Uint8Array.fromBase64(base64)),
    };
    this.#desired = new Desired(outside, this.#driver.capabilities().kinds);
    const observer = {
      applied: (steps: readonly Step[]): void => void this.#steps.push(...steps),
      drifted: (): void => assert.fail('nobody else has a hand in it'),
      planeAway: (): void => assert.fail('it is in memory'),
    };
    const tuning = { ...defaultTuning, auditMs: 3_600_000 };
    const log = pino({ enabled: false });
    this.#reconciler = new Reconciler(this.#desired, this.#driver, log, observer, (step) => step, tuning);
  }

  /** Joins the vrouter of that name and has what it says. */
  static async join(desk: TestDesk, vrouter: string): Promise<PlaneGateway> {
    const vrouterId = desk.desired.get(vrouter).row.id;
    const row: GatewayRow = {
      id: `gateway-of-${vrouter}`,
      vrouterId,
      wireguardPublicKey: Buffer.alloc(32, 200).toString('base64'),
      hostname: 'h',
      softwareVersion: '0',
      plane: 'fake',
      registeredUnixMs: desk.unixMs(),
      revokedUnixMs: null,
      lastPollUnixMs: null,
      storedVersion: null,
      appliedVersion: null,
      told: null,
      tokenId: 't',
      csrFingerprint: 'f',
      joinReply: '{}',
    };
    await desk.db.transaction().execute((tx) => insertGateway(tx, row));
    const history = new History(desk.db, desk.unixMs);
    const rotations = new RotationWatch(desk, pino({ level: 'silent' }));
    const polls = new PollService(desk.desired, history, desk.events, new Metrics(), rotations, desk.unixMs, {
      controllers: () => [],
      deleted: async () => null,
    });
    const gateway = new PlaneGateway(polls, desk.roster.add(row, null));
    gateway.#reconciler.start();
    await gateway.poll();
    await gateway.poll();
    return gateway;
  }

  get version(): number {
    return this.#state.version;
  }

  /** Asks what there is and does it. */
  async poll(): Promise<Done> {
    this.#steps = [];
    let reply = await this.#ask(false);
    let outcome = this.#state.judge(reply, false);
    if (outcome.kind === 'resync' || outcome.kind === 'held') {
      reply = await this.#ask(true);
      outcome = this.#state.judge(reply, false);
    }
    this.#held = outcome.kind === 'held' ? outcome : null;
    if (outcome.kind === 'change') {
      this.#state.accept(outcome.change);
      for (const key of outcome.change.remove) this.#desired.remove('controller', key);
      for (const { key, body } of outcome.change.put) {
        const intent = readIntent(key, body);
        assert.ok(intent.ok, key);
        this.#desired.put('controller', intent.value);
      }
      this.#reconciler.kick();
    } else assert.notEqual(outcome.kind, 'resync');
    assert.equal(await this.#reconciler.settled(SETTLE_MS), true);
    if (outcome.kind === 'change') await this.#ask(false);
    return { steps: this.#steps, problems: this.#problems(), held: this.#held?.reason ?? null };
  }

  async stop(): Promise<void> {
    await this.#reconciler.stop();
  }

  #problems(): Done['problems'] {
    const all = [...this.#desired.problems(), ...this.#reconciler.failing()];
    return all.map(({ key, problem: { code, message } }) => ({ key, code, message }));
  }

  async #ask(full: boolean): Promise<PollReply> {
    const { version } = this.#state;
    const request = {
      gatewayId: this.#gateway.id,
      bootId: this.#bootId,
      seq: ++this.#seq,
      nonce: this.#nonce,
      storedVersion: version,
      storedHash: this.#state.hash(),
      appliedVersion: version,
      waitMs: 0,
      full,
      held: this.#held,
      stats: null,
      errors: this.#problems().slice(0, 100),
      plane: 'fake',
      version: '0',
    };
    const reply = pollReply.parse(JSON.parse(await this.#polls.poll(this.#gateway, request)));
    this.#nonce = reply.nextNonce;
    return reply;
  }
}
