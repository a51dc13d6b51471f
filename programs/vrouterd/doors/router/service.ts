/**
 * The nine calls. Each that changes something is judged whole, said and stored whole, and answered when the plane has tried it; what the plane
 * cannot make is taken back, and the call fails. Failures are answers (`success` false and a sentence), never errors of gRPC.
 */
import type {
  AddPortMappingRequest,
  ConfigureDNSRequest,
  ConfigureNATRequest,
  CreateVLANRequest,
  DeleteVLANRequest,
  ListVLANsRequest,
  RemoveNATRequest,
  RemovePortMappingRequest,
} from '@vrouter/api/router/gen/router_pb.ts';
import { type Problem, problem, toProblem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { intentKey } from '@vrouter/intent/model/intents.ts';
import type { Logger } from 'pino';
import { type Listener, listenerProblem } from '../intents/listeners.ts';
import { inverse, type Outcome, rootOf, type Trouble } from '../intents/said.ts';
import { Writer } from '../intents/writer.ts';
import { adoptLeftovers, type LeftoverSource } from './adopt.ts';
import type { RouterChange, RouterIntents } from './intents.ts';
import { configureNames } from './names.ts';
import { addPort, removePort } from './ports.ts';
import { RouterState } from './state.ts';
import { configureNat, createVlan, deleteVlan, hasNat, removeNat } from './vlan.ts';
import { facts, sentence } from './words.ts';

/** How long a call waits for the plane, ms. */
const PLANE_MS = 10_000;

const ifListening = { field: 'host_port', advice: 'choose another port, or stop that program' };

export interface ServiceParts {
  readonly intents: RouterIntents;
  /** The interface that new VLANs are of; null: there is none. */
  readonly parent: () => string | null;
  /** Who listens on this machine, resolvers of ours left out. */
  readonly listeners: () => readonly Listener[];
  readonly log: Logger;
  /** ms. */
  readonly planeMs?: number;
}

/** What the log has of a call besides: as the client sent it. */
type Facts = { readonly [name: string]: number | string };

export interface Answer {
  readonly success: boolean;
  readonly error: string;
}

export class RouterCalls {
  readonly #intents: RouterIntents;
  readonly #parent: () => string | null;
  readonly #listeners: () => readonly Listener[];
  readonly #log: Logger;
  readonly #planeMs: number;
  readonly #startedMs = performance.now();
  readonly #writer = new Writer();
  /** What has been said, after the last call that changed something. */
  #state: RouterState;

  constructor({ intents, parent, listeners, log, planeMs = PLANE_MS }: ServiceParts) {
    this.#intents = intents;
    this.#parent = parent;
    this.#listeners = listeners;
    this.#log = log;
    this.#planeMs = planeMs;
    this.#state = new RouterState(intents.said());
  }

  async createVlan(request: CreateVLANRequest, signal: AbortSignal) {
    const { vlanId, subnet } = request;
    let name = '';
    const answer = await this.#answer('CreateVLAN', { vlan: vlanId, subnet }, signal, async (state) => {
      const change = createVlan(state, request, this.#parent);
      if (!change.ok) return change.error;
      // A resolver that cannot listen is told by GetHealth; the VLAN is there all the same.
      const failed = await this.#commit(state, change.value, ({ key }) => !key.startsWith('dns'));
      if (failed === null) name = change.value.network.interface;
      return failed;
    });
    const mac = answer.success ? (await this.#intents.links([name])).get(name)?.mac : null;
    return { ...answer, interfaceName: name, macAddress: mac ?? '' };
  }

  /** What was there before this program becomes what was said to it; in its turn, as a call. */
  adopt(source: LeftoverSource): Promise<void> {
    return this.#writer.run(AbortSignal.any([]), async () => {
      try {
        await adoptLeftovers(this.#intents, source, this.#log);
      } catch (thrown) {
        this.#log.error({ err: thrown }, 'what an older router may have left cannot be read');
      } finally {
        this.#state = new RouterState(this.#intents.said());
      }
    });
  }

  deleteVlan({ vlanId }: DeleteVLANRequest, signal: AbortSignal) {
    return this.#change('DeleteVLAN', { vlan: vlanId }, signal, (state) => ok(deleteVlan(state, vlanId)));
  }

  configureNat(request: ConfigureNATRequest, signal: AbortSignal) {
    const values = { vlan: request.vlanId, sources: request.sourceSubnet };
    return this.#change('ConfigureNAT', values, signal, (state) => configureNat(state, request));
  }

  removeNat(request: RemoveNATRequest, signal: AbortSignal) {
    const values = { vlan: request.vlanId, sources: request.sourceSubnet };
    return this.#change('RemoveNAT', values, signal, (state) => removeNat(state, request));
  }

  configureDns(request: ConfigureDNSRequest, signal: AbortSignal) {
    const values = { vlan: request.vlanId, names: Object.keys(request.hosts).length };
    return this.#change('ConfigureDNS', values, signal, (state) => configureNames(state, request));
  }

  addPortMapping(request: AddPortMappingRequest, signal: AbortSignal) {
    const { vlanId, hostPort, protocol, containerIp, containerPort } = request;
    const values = { vlan: vlanId, hostPort, protocol, containerIp, containerPort };
    return this.#change('AddPortMapping', values, signal, (state) => this.#publish(state, request));
  }

  removePortMapping(request: RemovePortMappingRequest, signal: AbortSignal) {
    const { hostPort, protocol } = request;
    return this.#change('RemovePortMapping', { hostPort, protocol }, signal, (state) => removePort(state, request));
  }

  /** By id. A VLAN whose link is not there is told of too, as one that is down. */
  async listVlans({ vlanId: filter }: ListVLANsRequest) {
    const began = performance.now();
    const state = this.#state;
    const vlans = [...state.vlans.values()]
      .filter(({ intent }) => filter === 0 || intent.vlanId === filter)
      .map((one) => ({ ...one, natEnabled: hasNat(state, one.intent) }));
    const links = await this.#intents.links(vlans.map(({ intent }) => intent.interface));
    this.#tell('ListVLANs', { vlan: filter, vlans: vlans.length }, began, '');
    return {
      vlans: vlans.map(({ intent, note, natEnabled }) => {
        const link = links.get(intent.interface);
        return {
          vlanId: intent.vlanId ?? 0,
          interfaceName: intent.interface,
          gateway: note.gateway ?? intent.subnets[0]?.gateway ?? '',
          subnet: note.subnet ?? intent.subnets[0]?.prefix ?? '',
          macAddress: link?.mac ?? '',
          mtu: link?.mtu ?? 0,
          isUp: link?.isUp ?? false,
          natEnabled,
        };
      }),
      error: '',
    };
  }

  /** At once, whatever else goes on. */
  health() {
    const troubles = this.#intents.troubles();
    return {
      healthy: troubles.length === 0,
      status: troubles.length === 0 ? 'running' : told(troubles),
      activeVlans: this.#state.vlans.size,
      uptimeSeconds: BigInt(Math.floor((performance.now() - this.#startedMs) / 1000)),
    };
  }

  /** A program of the host that listens there would hear nothing more, unless that is so already. */
  #publish(state: RouterState, request: AddPortMappingRequest): Result<RouterChange> {
    const change = addPort(state, request);
    if (!change.ok) return change;
    for (const { intent } of change.value.put) {
      if (intent.kind !== 'publishedPort' || state.get(intentKey(intent)) !== undefined) continue;
      const wrong = listenerProblem(this.#listeners(), intent, ifListening);
      if (wrong !== null) return err(wrong);
    }
    return change;
  }

  #change(
    rpc: string,
    values: Facts,
    signal: AbortSignal,
    plan: (state: RouterState) => Result<RouterChange>,
  ): Promise<Answer> {
    return this.#answer(rpc, values, signal, async (state) => {
      const change = plan(state);
      return change.ok ? this.#commit(state, change.value, () => true) : change.error;
    });
  }

  /** Does the work in its turn; whatever it says or throws is the answer. Rejects when the client has gone before its turn. */
  async #answer(
    rpc: string,
    values: Facts,
    signal: AbortSignal,
    work: (state: RouterState) => Promise<Problem | null>,
  ): Promise<Answer> {
    const began = performance.now();
    const failed = await this.#writer.run(signal, async () => {
      try {
        return await work(this.#state);
      } catch (thrown) {
        this.#log.error({ rpc, err: thrown }, 'a call went wrong inside');
        // Who knows how far it came.
        this.#state = new RouterState(this.#intents.said());
        return toProblem(thrown);
      }
    });
    const error = failed === null ? '' : sentence(failed);
    this.#tell(rpc, values, began, error);
    return { success: failed === null, error };
  }

  /** Null: it is so. Otherwise why not, and what was before is said again. `matters`: which failures of the plane are failures of the call. */
  async #commit(
    state: RouterState,
    change: RouterChange,
    matters: (trouble: Trouble) => boolean,
  ): Promise<Problem | null> {
    const undo = backOf(state, change);
    const outcome = await this.#intents.change(change, this.#planeMs);
    if (outcome.kind !== 'refused') state.apply(change);
    const why = outcome.kind === 'late' ? this.#lateness() : failureOf(outcome, matters);
    if (why === null || outcome.kind === 'refused') return why;
    const back = await this.#intents.change(undo, outcome.kind === 'late' ? 0 : this.#planeMs);
    if (back.kind !== 'refused') state.apply(undo);
    else
      this.#log.error({ code: back.problem.code, why: back.problem.message }, 'what was before cannot be said again');
    return why;
  }

  #lateness(): Problem {
    const away = this.#intents.troubles().find(({ key }) => key === 'plane');
    const why = away === undefined ? '' : ` (${away.problem.message})`;
    return problem('timeout', `the plane has not answered in time${why}; what was before is said again`);
  }

  #tell(rpc: string, values: Facts, began: number, error: string): void {
    const ms = Math.round(performance.now() - began);
    if (error === '') this.#log.info({ rpc, ...facts(values), ms }, 'call');
    else this.#log.warn({ rpc, ...facts(values), ms, error }, 'call refused');
  }
}

function failureOf(
  outcome: Exclude<Outcome, { readonly kind: 'late' }>,
  matters: (trouble: Trouble) => boolean,
): Problem | null {
  switch (outcome.kind) {
    case 'done':
      return null;
    case 'refused':
      return outcome.problem;
    case 'failed': {
      const failures = outcome.troubles.filter(matters);
      if (failures.length === 0) return null;
      const { key, problem: why } = rootOf(failures);
      return problem(why.code, `${key}: ${why.message}`);
    }
  }
}

/** What leads from after the change to before it. */
export function backOf(state: RouterState, change: RouterChange): RouterChange {
  return inverse(change, (key) => state.get(key));
}

function told(troubles: readonly Trouble[]): string {
  const { key, problem: why } = rootOf(troubles);
  const more = troubles.length === 1 ? '' : `, and ${troubles.length - 1} more`;
  return `${key}: ${why.message} (${why.code})${more}`;
}
