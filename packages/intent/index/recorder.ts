/** The compile context that remembers what it was asked. One serves all compiles, one after the other. */
import type { Secret } from '@vrouter/core/secret.ts';
import type { CompileContext, Outside, SeenInterface, SeenNetwork, SeenSuccessor } from '../compile/context.ts';
import type { HostNetwork, Taken } from '../compile/overlap.ts';
import { prefixOf } from '../compile/overlap.ts';
import { DEFAULT_VRF } from '../compile/vrf.ts';
import { type PeerSuccessorIntent, successorKey } from '../model/intents.ts';
import type { Entry } from './entry.ts';
import type { SubnetClaim } from './subnets.ts';

export interface Recording {
  readonly lookups: readonly string[];
  readonly claims: readonly string[];
  readonly subnets: readonly SubnetClaim[];
}

/** How an entry stands in line: each answers null when it is first, else who is. */
export interface Queues {
  claim(resource: string, entry: Entry): string | null;
  claimSubnet(claim: SubnetClaim): SubnetClaim | null;
}

/** Kinds of intents that are interfaces; of two with one name the first usable one here is it. */
const interfaceKinds = ['gatewayInterface', 'port', 'hostInterface', 'interface'] as const;

/** What whoever asks for an interface of any kind is told of. */
export function anyInterfaceName(name: string): string {
  return `anyInterface/${name}`;
}

/** The interface that an intent of this key is; null: it is none. */
export function interfaceNameOf(key: string): string | null {
  const slash = key.indexOf('/');
  return interfaceKinds.some((kind) => kind === key.slice(0, slash)) ? key.slice(slash + 1) : null;
}

export class Recorder implements CompileContext {
  readonly #outside: Outside;
  readonly #visible: ReadonlyMap<string, string>;
  readonly #queues: Queues;
  #entry: Entry | null = null;
  #lookups: string[] = [];
  #claims: string[] = [];
  #subnets: SubnetClaim[] = [];

  constructor(outside: Outside, visible: ReadonlyMap<string, string>, queues: Queues) {
    this.#outside = outside;
    this.#visible = visible;
    this.#queues = queues;
  }

  /** Starts a recording for this entry; its lists fill while the compile runs. */
  begin(entry: Entry): Recording {
    this.#entry = entry;
    this.#lookups = [];
    this.#claims = [];
    this.#subnets = [];
    return { lookups: this.#lookups, claims: this.#claims, subnets: this.#subnets };
  }

  hasVrf(name: string): boolean {
    if (name === DEFAULT_VRF) return true;
    return this.#look(`vrf/${name}`) !== undefined;
  }

  gatewayInterface(name: string): SeenInterface | null {
    return interfaceOf(this.#look(`gatewayInterface/${name}`));
  }

  anyInterface(name: string): SeenInterface | null {
    // One name for all kinds: a million routes ask for it.
    this.#lookups.push(anyInterfaceName(name));
    for (const kind of interfaceKinds) {
      const visible = this.#visible.get(`${kind}/${name}`);
      if (visible !== undefined) return interfaceOf(visible);
    }
    return null;
  }

  network(id: string): SeenNetwork | null {
    const said = this.#look(`network/${id}`);
    return said === undefined ? null : (JSON.parse(said) as SeenNetwork);
  }

  deviceMtu(device: string): number | null {
    this.#lookups.push(`deviceMtu/${device}`);
    return this.#outside.deviceMtu?.(device) ?? null;
  }

  hostNetworks(): readonly HostNetwork[] {
    this.#lookups.push('hostNetworks');
    return this.#outside.hostNetworks?.() ?? [];
  }

  successor(interfaceName: string, publicKey: string): SeenSuccessor | null {
    const said = this.#look(successorKey(interfaceName, publicKey));
    if (said === undefined) return null;
    const { nextPublicKey, presharedKey, rotation, open } = JSON.parse(said) as PeerSuccessorIntent;
    this.#lookups.push(`succession/${interfaceName}/${publicKey}`);
    const taken = this.#outside.hasSucceeded?.(interfaceName, publicKey, rotation) === true;
    return { publicKey: nextPublicKey, presharedKey, state: taken ? 'taken' : open ? 'open' : 'closed' };
  }

  claim(resource: string): string | null {
    this.#claims.push(resource);
    return this.#queues.claim(resource, this.#entry!);
  }

  claimSubnet(prefix: string): Taken | null {
    const entry = this.#entry!;
    // One that stood there before stands there still.
    const claim = entry.subnets.find((one) => one.prefix === prefix) ?? { entry, prefix };
    this.#subnets.push(claim);
    const holder = this.#queues.claimSubnet(claim);
    return holder === null ? null : { prefix: prefixOf(holder.prefix), by: holder.entry.label };
  }

  tableId(vrf: string): number {
    this.#lookups.push(`tableId/${vrf}`);
    return this.#outside.tableId(vrf);
  }

  privateKey(interfaceName: string): Secret | null {
    this.#lookups.push(`privateKey/${interfaceName}`);
    return this.#outside.privateKey(interfaceName);
  }

  secret(base64: string): Secret {
    return this.#outside.secret(base64);
  }

  #look(name: string): string | undefined {
    this.#lookups.push(name);
    return this.#visible.get(name);
  }
}

/** As `Desired` shows an interface: its VRF, and whether it carries IPv6. A name has no space. */
function interfaceOf(visible: string | undefined): SeenInterface | null {
  if (visible === undefined) return null;
  const [vrf = '', carriesIpv6] = visible.split(' ');
  return { vrf, carriesIpv6: carriesIpv6 === 'true' };
}
