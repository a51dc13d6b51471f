/**
 * Which owner an address belongs to: a trie per family, paths compressed, longest prefix first. A prefix has one owner; giving it to
 * another moves it. Keys are four 32-bit words (an IPv4 address is the first), so a lookup compares words and allocates nothing.
 */
import type { IpBytes } from '@vrouter/core/ip.ts';
import type { Prefix } from '@vrouter/core/prefix.ts';

/** Who can own prefixes: it keeps its own nodes, so that removing an owner costs what it owns. */
export interface PrefixOwner<P> {
  readonly allowed: Set<AllowedNode<P>>;
}

export class AllowedNode<P> {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly bits: number;
  /** 4 or 16. */
  readonly addressBytes: number;
  /** Null for a mere fork. */
  owner: P | null = null;
  parent: AllowedNode<P> | null = null;
  zero: AllowedNode<P> | null = null;
  one: AllowedNode<P> | null = null;

  constructor(w0: number, w1: number, w2: number, w3: number, bits: number, addressBytes: number) {
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
    this.bits = bits;
    this.addressBytes = addressBytes;
  }

  /** Whether the first `bits` of the address are this node's. */
  covers(w0: number, w1: number, w2: number, w3: number): boolean {
    const bits = this.bits;
    if (bits <= 32) return bits === 0 || (this.w0 ^ w0) >>> (32 - bits) === 0;
    if (this.w0 !== w0) return false;
    if (bits <= 64) return (this.w1 ^ w1) >>> (64 - bits) === 0;
    if (this.w1 !== w1) return false;
    if (bits <= 96) return (this.w2 ^ w2) >>> (96 - bits) === 0;
    return this.w2 === w2 && (this.w3 ^ w3) >>> (128 - bits) === 0;
  }
}

export class AllowedIps<P extends PrefixOwner<P>> {
  #root4: AllowedNode<P> | null = null;
  #root6: AllowedNode<P> | null = null;

  /** The owner of the longest prefix that has the address at `at`, 4 or 16 bytes, network order. */
  lookup(buffer: Uint8Array, at: number, addressBytes: 4 | 16): P | null {
    let node: AllowedNode<P> | null;
    let w1 = 0;
    let w2 = 0;
    let w3 = 0;
    const w0 = word(buffer, at);
    if (addressBytes === 4) node = this.#root4;
    else {
      node = this.#root6;
      w1 = word(buffer, at + 4);
      w2 = word(buffer, at + 8);
      w3 = word(buffer, at + 12);
    }
    let best: P | null = null;
    const most = addressBytes * 8;
    while (node?.covers(w0, w1, w2, w3)) {
      if (node.owner !== null) best = node.owner;
      if (node.bits === most) break;
      node = bitAt(w0, w1, w2, w3, node.bits) === 0 ? node.zero : node.one;
    }
    return best;
  }

  /** Gives the prefix to `owner`, taking it from whoever has it. Host bits are ignored. */
  insert(prefix: Prefix, owner: P): void {
    const fresh = nodeOf<P>(prefix);
    let parent: AllowedNode<P> | null = null;
    let node = this.#root(fresh.addressBytes);
    while (node !== null && node.bits <= fresh.bits && node.covers(fresh.w0, fresh.w1, fresh.w2, fresh.w3)) {
      if (node.bits === fresh.bits) {
        this.#own(node, owner);
        return;
      }
      parent = node;
      node = child(node, fresh);
    }
    this.#own(fresh, owner);
    if (node === null) this.#attach(parent, fresh);
    else if (fresh.covers(node.w0, node.w1, node.w2, node.w3) && fresh.bits < node.bits) {
      this.#attach(parent, fresh);
      this.#attach(fresh, node);
    } else {
      const fork = forkOf(fresh, node);
      this.#attach(parent, fork);
      this.#attach(fork, fresh);
      this.#attach(fork, node);
    }
  }

  /** Takes the prefix from `owner`. False: it was not the owner's. */
  remove(prefix: Prefix, owner: P): boolean {
    const wanted = nodeOf<P>(prefix);
    let node = this.#root(wanted.addressBytes);
    while (node !== null && node.bits < wanted.bits) node = child(node, wanted);
    if (node === null || node.owner !== owner || !same(node, wanted)) return false;
    this.#disown(node);
    return true;
  }

  /** Makes `prefixes` all that `owner` has. What stays is not touched. */
  replace(owner: P, prefixes: readonly Prefix[]): void {
    const before = new Set(owner.allowed);
    for (const prefix of prefixes) this.insert(prefix, owner);
    const wanted = new Set(prefixes.map((prefix) => nodeName(nodeOf(prefix))));
    for (const node of before) if (node.owner === owner && !wanted.has(nodeName(node))) this.#disown(node);
  }

  removeOwner(owner: P): void {
    for (const node of [...owner.allowed]) this.#disown(node);
  }

  /** In the order in which they came. */
  prefixesOf(owner: P): Prefix[] {
    return [...owner.allowed].map((node) => ({ address: addressOf(node), bits: node.bits }));
  }

  #root(addressBytes: number): AllowedNode<P> | null {
    return addressBytes === 4 ? this.#root4 : this.#root6;
  }

  #own(node: AllowedNode<P>, owner: P): void {
    node.owner?.allowed.delete(node);
    node.owner = owner;
    owner.allowed.add(node);
  }

  #disown(node: AllowedNode<P>): void {
    node.owner?.allowed.delete(node);
    node.owner = null;
    this.#prune(node);
  }

  /** A node without owner stays only as a fork of two. */
  #prune(node: AllowedNode<P>): void {
    if (node.owner !== null || (node.zero !== null && node.one !== null)) return;
    const parent = node.parent;
    const only = node.zero ?? node.one;
    if (only !== null) this.#attach(parent, only);
    else if (parent === null) this.#setRoot(node.addressBytes, null);
    else {
      if (parent.zero === node) parent.zero = null;
      else parent.one = null;
      this.#prune(parent);
    }
  }

  #attach(parent: AllowedNode<P> | null, node: AllowedNode<P>): void {
    node.parent = parent;
    if (parent === null) this.#setRoot(node.addressBytes, node);
    else if (bitAt(node.w0, node.w1, node.w2, node.w3, parent.bits) === 0) parent.zero = node;
    else parent.one = node;
  }

  #setRoot(addressBytes: number, node: AllowedNode<P> | null): void {
    if (addressBytes === 4) this.#root4 = node;
    else this.#root6 = node;
  }
}

function child<P>(node: AllowedNode<P>, towards: AllowedNode<P>): AllowedNode<P> | null {
  return bitAt(towards.w0, towards.w1, towards.w2, towards.w3, node.bits) === 0 ? node.zero : node.one;
}

function same<P>(a: AllowedNode<P>, b: AllowedNode<P>): boolean {
  return a.bits === b.bits && a.covers(b.w0, b.w1, b.w2, b.w3);
}

/** Bit `index`, the first being the highest of `w0`. Below 128. */
function bitAt(w0: number, w1: number, w2: number, w3: number, index: number): number {
  const w = index < 64 ? (index < 32 ? w0 : w1) : index < 96 ? w2 : w3;
  return (w >>> (31 - (index & 31))) & 1;
}

/** The longest prefix that both have. They differ before the shorter one ends. */
function forkOf<P>(a: AllowedNode<P>, b: AllowedNode<P>): AllowedNode<P> {
  const differences = [a.w0 ^ b.w0, a.w1 ^ b.w1, a.w2 ^ b.w2, a.w3 ^ b.w3];
  const at = differences.findIndex((difference) => difference !== 0);
  return maskedNode([a.w0, a.w1, a.w2, a.w3], 32 * at + Math.clz32(differences[at]!), a.addressBytes);
}

function nodeOf<P>(prefix: Prefix): AllowedNode<P> {
  const { address, bits } = prefix;
  const words = [0, 0, 0, 0];
  for (let i = 0; i < address.length; i += 4) words[i / 4] = word(address, i);
  return maskedNode(words, bits, address.length);
}

function maskedNode<P>(words: readonly number[], bits: number, addressBytes: number): AllowedNode<P> {
  const [w0, w1, w2, w3] = words.map((value, i) => {
    const keep = Math.min(32, Math.max(0, bits - 32 * i));
    return keep === 0 ? 0 : value & (-1 << (32 - keep));
  });
  return new AllowedNode<P>(w0!, w1!, w2!, w3!, bits, addressBytes);
}

function nodeName<P>(node: AllowedNode<P>): string {
  return `${node.w0} ${node.w1} ${node.w2} ${node.w3}/${node.bits} ${node.addressBytes}`;
}

function addressOf<P>(node: AllowedNode<P>): IpBytes {
  const address = new Uint8Array(node.addressBytes);
  const words = [node.w0, node.w1, node.w2, node.w3];
  for (let i = 0; i < address.length; i++) address[i] = (words[i >> 2]! >>> (24 - 8 * (i & 3))) & 0xff;
  return address;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
