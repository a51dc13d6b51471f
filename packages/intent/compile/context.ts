/** What a compile function may ask. Every question is remembered by the index, so that another answer leads to another compile. */
import type { Problem } from '@vrouter/core/problem.ts';
import type { Secret } from '@vrouter/core/secret.ts';
import type { PlaneObject } from '../model/objects.ts';
import type { HostNetwork, Taken } from './overlap.ts';

/** What the program around knows and this pure package cannot: numbers allocated once, the host's own keys, a hash. */
export interface Outside {
  /** Number of a VRF's table on the plane; the same for the same name for ever. */
  tableId(vrf: string): number;
  /** The private key of one of this host's gateway interfaces; null until there is one. */
  privateKey(interfaceName: string): Secret | null;
  /** A Secret of base64 text (this package knows no hash to make its fingerprint). */
  secret(base64: string): Secret;
  /**
   * Whether the key that is to succeed a peer's in this rotation has been heard, so that it is the peer's from now on. Left out: none
   * has, ever. `changed('succession/INTERFACE/KEY')` tells that the answer for this peer's key is another.
   */
  hasSucceeded?(interfaceName: string, publicKey: string, rotation: string): boolean;
  /** Bytes that an interface of the host carries; null when there is none. Left out: nobody knows. `changed('deviceMtu/NAME')` tells of another. */
  deviceMtu?(device: string): number | null;
  /**
   * What the host has on its links, ours among them, and the next hops of its default routes. Left out: nobody knows, or it is no matter of this plane.
   * `changed('hostNetworks')` tells of another answer.
   */
  hostNetworks?(): readonly HostNetwork[];
}

/** What names and published ports may know of their network. */
export interface SeenNetwork {
  /** Whether its gateway answers names. */
  readonly dns: boolean;
  readonly subnets: readonly string[];
}

/** What others may know of an interface. */
export interface SeenInterface {
  readonly vrf: string;
  /** Its MTU holds what IPv6 needs. */
  readonly carriesIpv6: boolean;
}

/** What a peer may know of the key that is to take its place. */
export interface SeenSuccessor {
  readonly publicKey: string;
  /** Base64. */
  readonly presharedKey: string | null;
  /** `open`: it is waited for; `taken`: it was heard, and is the peer's key; `closed`: it comes no more. */
  readonly state: 'open' | 'taken' | 'closed';
}

export interface CompileContext extends Outside {
  /** Whether intents may stand on this VRF now: `default`, or one that was said and is itself compiled. */
  hasVrf(name: string): boolean;
  /** A gateway interface that was said and is itself compiled; else null. */
  gatewayInterface(name: string): SeenInterface | null;
  /** An interface of any kind that was said and is itself compiled; else null. */
  anyInterface(name: string): SeenInterface | null;
  /** A network that was said and is itself compiled; else null. */
  network(id: string): SeenNetwork | null;
  /** What is said of the next key of a peer; null: nothing. */
  successor(interfaceName: string, publicKey: string): SeenSuccessor | null;
  /**
   * Lays claim to something that one intent alone can have. Null: it is ours. Otherwise who holds it (`source key`): the intent that
   * was said first.
   */
  claim(resource: string): string | null;
  /** Lays claim to a canonical subnet of which nobody else has a part. Null: it is ours. Otherwise what an elder intent has of it. */
  claimSubnet(prefix: string): Taken | null;
}

/** What one intent comes to. */
export interface Compiled {
  readonly objects: readonly PlaneObject[];
  /** Why something of it is missing, in the order of the intent's fields. */
  readonly problems: readonly Problem[];
  /** Whether other intents may refer to this one. */
  readonly usable: boolean;
}

/** All of it waits. */
export function pending(...problems: readonly Problem[]): Compiled {
  return { objects: [], problems, usable: false };
}
