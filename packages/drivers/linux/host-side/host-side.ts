/**
 * The kernel's side of a TUN device of ours: MTU, addresses and routes of the host itself. The device is born with nothing and takes all
 * of it along when it goes, so what was put there is remembered here and nowhere else.
 */
import { formatPrefix, networkOf, type Prefix, parseInterfaceAddress, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';
import { addAddress, removeAddress } from '../netlink/address.ts';
import { changeLink } from '../netlink/link.ts';
import { Errno } from '../netlink/refusal.ts';
import { ask, type NetlinkSocket, Requests } from '../netlink/requests.ts';
import { addRoute, removeRoute } from '../netlink/route.ts';

/** As `engine/ports/frames.ts` has it. */
export interface HostSideState {
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
}

export interface HostSideSocket extends NetlinkSocket {
  /** The kernel's number of an interface; 0 when there is none. */
  indexOf(name: string): number;
}

type Kind = 'address' | 'route';

export class HostSide {
  readonly #requests: Requests;
  readonly #name: string;
  readonly #index: number;
  /** 0 before the first `set`. */
  #mtu: number;
  /** What the kernel has of ours: `address 10.0.0.1/24`, `route 10.0.0.0/8`. */
  #has: ReadonlyMap<string, readonly [Kind, Prefix]>;

  /** Throws ProblemError `plane.failed` when there is no such device. */
  constructor(socket: HostSideSocket, name: string) {
    this.#requests = new Requests(socket);
    this.#name = name;
    this.#index = socket.indexOf(name);
    this.#mtu = 0;
    this.#has = new Map();
    if (this.#index === 0) throw new ProblemError(problem('plane.failed', `the host has no interface ${name}`));
  }

  /**
   * Makes it so: what is new first, then what should be gone. Throws ProblemError with the field, after taking back what it did:
   * `object.exists` (the host reaches this network another way), `port.denied`, `plane.failed`.
   */
  set(state: HostSideState): void {
    const wanted = wantedOf(state);
    this.#do(changeLink(this.#index, { mtu: state.mtu, up: true }), `${this.#name}: MTU ${state.mtu}`, 'mtu');
    const made: (readonly [Kind, Prefix])[] = [];
    for (const [key, [kind, prefix]] of wanted) {
      if (this.#has.has(key)) continue;
      const failed = this.#add(kind, prefix);
      if (failed === null) {
        made.push([kind, prefix]);
        continue;
      }
      for (const [undoneKind, undone] of made.reverse()) this.#remove(undoneKind, undone);
      if (this.#mtu !== 0) ask(this.#requests, changeLink(this.#index, { mtu: this.#mtu, up: true }), '');
      throw new ProblemError(failed);
    }
    const old = [...this.#has].filter(([key]) => !wanted.has(key));
    this.#mtu = state.mtu;
    this.#has = wanted;
    // Routes before the addresses that the kernel may have chosen as their source.
    for (const kind of ['route', 'address'] as const)
      for (const [, [is, prefix]] of old) if (is === kind) this.#remove(is, prefix);
  }

  #add(kind: Kind, prefix: Prefix): Problem | null {
    const message = kind === 'address' ? addAddress(this.#index, prefix) : addRoute(this.#index, prefix);
    const failed = ask(this.#requests, message, `${this.#name}: ${kind} ${formatPrefix(prefix)}`);
    return failed === null ? null : { ...failed, field: kind === 'address' ? 'hostAddresses' : 'hostRoutes' };
  }

  /** Somebody else may have been faster: then it is gone as wanted. */
  #remove(kind: Kind, prefix: Prefix): void {
    const message = kind === 'address' ? removeAddress(this.#index, prefix) : removeRoute(this.#index, prefix);
    ask(this.#requests, message, '', [Errno.ESRCH, Errno.EADDRNOTAVAIL, Errno.ENODEV]);
  }

  #do(message: Uint8Array, what: string, field: string): void {
    const failed = ask(this.#requests, message, what);
    if (failed !== null) throw new ProblemError({ ...failed, field });
  }
}

function wantedOf(state: HostSideState): ReadonlyMap<string, readonly [Kind, Prefix]> {
  const wanted = new Map<string, readonly [Kind, Prefix]>();
  const connected = new Set<string>();
  for (const text of state.addresses) {
    const address = must(parseInterfaceAddress(text, 'hostAddresses'));
    wanted.set(`address ${formatPrefix(address)}`, ['address', address]);
    connected.add(formatPrefix(networkOf(address)));
  }
  for (const text of state.routes) {
    const prefix = must(parsePrefix(text, 'hostRoutes'));
    // The kernel makes this one by itself, with the address.
    if (!connected.has(formatPrefix(prefix))) wanted.set(`route ${formatPrefix(prefix)}`, ['route', prefix]);
  }
  return wanted;
}

function must<T>(parsed: Result<T>): T {
  if (parsed.ok) return parsed.value;
  throw new ProblemError(parsed.error);
}
