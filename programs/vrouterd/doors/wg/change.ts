/**
 * What a `set=1` comes to: peer intents of source `wg` to say and to take back, or the errno that refuses all of it. Pure: the caller
 * tells what is, and does what is answered. Semantics are the kernel's where wg(8) can see them, except that nothing of another source
 * is ever changed. docs/compat/wg.md has the whole table.
 */
import { equalConstantTime, formatKey } from '@vrouter/core/bytes.ts';
import type { PeerIntent } from '@vrouter/intent/model/intents.ts';
import { sameValue } from '@vrouter/intent/model/same.ts';
import { Errno } from '@vrouter/wire/uapi/errno.ts';
import { isZeroKey, type UapiPeerChange, type UapiSet } from '@vrouter/wire/uapi/operation.ts';

/** What is, as far as a change may depend on it. Keys are base64. */
export interface WgFacts {
  readonly interface: string;
  /** Whether the controller holds the interface. */
  readonly managed: boolean;
  readonly privateKey: Uint8Array | null;
  readonly publicKey: string | null;
  /** As said; 0 lets the system choose. */
  readonly listenPort: number;
  /** The one that is bound, where that is known. */
  readonly localPort: number | null;
  /** Source `wg`'s own peers of this interface. */
  readonly own: ReadonlyMap<string, PeerIntent>;
  /** Public keys of stored peers of source `wg` on this interface that cannot be read: they can be taken back or said anew. */
  readonly unreadable: ReadonlySet<string>;
  /** The peer as another source, which holds it, says it; null when none does. */
  other(publicKey: string): PeerIntent | null;
  /** Where the plane sends now. */
  endpointOf(publicKey: string): string | null;
}

export interface WgChange {
  readonly put: readonly PeerIntent[];
  /** Public keys. */
  readonly remove: readonly string[];
  /** Public keys of unreadable peers that go from the store; one that is put takes the place of what is there. */
  readonly discard: readonly string[];
  /** Public keys of peers that were there and whose endpoint was said. */
  readonly moved: readonly string[];
}

export type WgOutcome =
  | { readonly ok: true; readonly change: WgChange }
  | { readonly ok: false; readonly errno: Errno };

/** Folds the whole operation, in its order, before anything of it counts. */
export function changeOf(set: UapiSet, facts: WgFacts): WgOutcome {
  const refused = judgeDevice(set, facts);
  if (refused !== Errno.none) return { ok: false, errno: refused };
  const draft = new Draft(facts, set.replacePeers);
  for (const peer of set.peers) {
    const errno = draft.take(peer);
    if (errno !== Errno.none) return { ok: false, errno };
  }
  return { ok: true, change: draft.change() };
}

/** The interface is another source's, and its key the host's: what changes nothing passes, so that `showconf` can be set again. */
function judgeDevice(set: UapiSet, facts: WgFacts): Errno {
  const { privateKey, listenPort, fwmark } = set;
  if (privateKey !== null && (facts.privateKey === null || !equalConstantTime(clamped(privateKey), facts.privateKey)))
    return Errno.perm;
  if (listenPort !== null && listenPort !== facts.listenPort && listenPort !== facts.localPort) return Errno.perm;
  if (set.replacePeers && facts.managed) return Errno.perm;
  if (fwmark !== null && fwmark !== 0) return facts.managed ? Errno.perm : Errno.notSupported;
  return Errno.none;
}

/** RFC 7748 section 5; keys are kept clamped, but need not be said so. All zero stays zero: it means none. */
function clamped(key: Uint8Array): Uint8Array {
  if (isZeroKey(key)) return key;
  const copy = key.slice();
  copy[0] = copy[0]! & 248;
  copy[31] = (copy[31]! & 127) | 64;
  return copy;
}

class Draft {
  readonly #facts: WgFacts;
  readonly #own: Map<string, PeerIntent>;
  readonly #discard: Set<string>;
  readonly #moved = new Set<string>();
  /** Who has an allowed IP, among our own; made when it is first asked for. */
  #owners: Map<string, string> | null = null;

  constructor(facts: WgFacts, isEmpty: boolean) {
    this.#facts = facts;
    this.#own = new Map(isEmpty ? [] : facts.own);
    this.#discard = new Set(isEmpty ? facts.unreadable : []);
  }

  take(said: UapiPeerChange): Errno {
    const key = formatKey(said.publicKey);
    // As on the kernel: one file for all hosts may list the host itself.
    if (key === this.#facts.publicKey) return Errno.none;
    const other = this.#facts.other(key);
    if (said.remove) {
      // A word of ours that another's stands before can always be taken back.
      const isKnown = this.#own.has(key) || this.#facts.own.has(key) || this.#facts.unreadable.has(key);
      if (!isKnown) return other === null ? Errno.none : Errno.perm;
      this.#forget(key);
      return Errno.none;
    }
    if (other !== null) return this.#isAsItIs(said, other) ? Errno.none : Errno.perm;
    const before = this.#own.get(key);
    if (before === undefined && said.updateOnly) return Errno.none;
    const after = merged(before ?? newPeer(this.#facts.interface, key), said);
    this.#own.set(key, after);
    this.#takeOver(key, before?.allowedIps ?? [], after.allowedIps);
    if (said.endpoint !== null && this.#facts.own.has(key) && said.endpoint !== this.#facts.endpointOf(key))
      this.#moved.add(key);
    return Errno.none;
  }

  change(): WgChange {
    const put: PeerIntent[] = [];
    for (const [key, intent] of this.#own) if (!sameValue(this.#facts.own.get(key), intent)) put.push(intent);
    const remove = [...this.#facts.own.keys()].filter((key) => !this.#own.has(key));
    const discard = [...this.#discard].filter((key) => !this.#own.has(key));
    return { put, remove, discard, moved: [...this.#moved].filter((key) => this.#own.has(key)) };
  }

  /** Whether a peer of another source would be as it is: its endpoint may be said as it was or as it was learnt. */
  #isAsItIs(said: UapiPeerChange, other: PeerIntent): boolean {
    const endpoint = said.endpoint === this.#facts.endpointOf(other.publicKey) ? null : said.endpoint;
    return sameValue(merged(other, { ...said, endpoint }), other);
  }

  #forget(key: string): void {
    for (const prefix of this.#own.get(key)?.allowedIps ?? []) this.#owners?.delete(prefix);
    this.#own.delete(key);
    this.#moved.delete(key);
    if (this.#facts.unreadable.has(key)) this.#discard.add(key);
  }

  /** An allowed IP that another peer of ours has moves here, as it does on every WireGuard. */
  #takeOver(key: string, before: readonly string[], after: readonly string[]): void {
    if (after.length === 0 && this.#owners === null) return;
    this.#owners ??= this.#allOwners(key);
    const owners = this.#owners;
    for (const prefix of before) if (owners.get(prefix) === key) owners.delete(prefix);
    for (const prefix of after) {
      const loser = this.#own.get(owners.get(prefix) ?? key);
      owners.set(prefix, key);
      if (loser === undefined || loser.publicKey === key) continue;
      const allowedIps = loser.allowedIps.filter((one) => one !== prefix);
      this.#own.set(loser.publicKey, { ...loser, allowedIps });
    }
  }

  #allOwners(except: string): Map<string, string> {
    const owners = new Map<string, string>();
    for (const [key, { allowedIps }] of this.#own)
      if (key !== except) for (const prefix of allowedIps) owners.set(prefix, key);
    return owners;
  }
}

function merged(before: PeerIntent, said: UapiPeerChange): PeerIntent {
  const allowedIps = new Set(said.replaceAllowedIps ? [] : before.allowedIps);
  for (const { remove, prefix } of said.allowedIps) remove ? allowedIps.delete(prefix) : allowedIps.add(prefix);
  return {
    ...before,
    presharedKey: said.presharedKey === null ? before.presharedKey : keyOrNull(said.presharedKey),
    allowedIps: [...allowedIps].sort(),
    endpoint: said.endpoint ?? before.endpoint,
    persistentKeepalive: said.persistentKeepalive ?? before.persistentKeepalive,
  };
}

function newPeer(onInterface: string, publicKey: string): PeerIntent {
  const nothing = { name: '', presharedKey: null, allowedIps: [], endpoint: null, persistentKeepalive: 0 };
  return { kind: 'peer', interface: onInterface, publicKey, ...nothing };
}

const keyOrNull = (key: Uint8Array): string | null => (isZeroKey(key) ? null : formatKey(key));
