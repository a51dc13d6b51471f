/** Addresses that nobody can own or that nobody may forward (RFC 6890 and the blocks' own RFCs): what is said of them is a mistake. */
import { parseIp } from '@vrouter/core/ip.ts';
import { containsPrefix, formatPrefix, type Prefix, parsePrefix, prefixesOverlap } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';

/**
 * What the prefix is for: an interface's own address, where a route leads or which addresses a peer has, or a network that addresses are
 * given out of. Link-local ones are good for the first two, as a link has them; nobody forwards them, so they make no network.
 * An address may be one at which ports are published, or lead to, or whom names are asked of: the host's loopback may.
 */
export type PrefixUse = 'address' | 'destination' | 'network' | AddressUse;
export type AddressUse = 'published' | 'server';

interface Block {
  readonly prefix: Prefix;
  readonly what: string;
  readonly uses: readonly PrefixUse[];
}

const never: readonly PrefixUse[] = [];
const onLink: readonly PrefixUse[] = ['address', 'destination', 'published', 'server'];
/** Without a word on which. */
const onSomeLink: readonly PrefixUse[] = ['address', 'destination', 'published'];
const own: readonly PrefixUse[] = ['published', 'server'];

const blocks: readonly Block[] = [
  block('0.0.0.0/8', '"this network" (RFC 791)', never),
  block('127.0.0.0/8', 'loopback (RFC 1122)', own),
  block('169.254.0.0/16', 'link-local (RFC 3927)', onLink),
  block('224.0.0.0/4', 'multicast (RFC 5771)', never),
  block('255.255.255.255/32', 'the broadcast address (RFC 919)', never),
  block('::/128', 'the unspecified address (RFC 4291)', never),
  block('::1/128', 'loopback (RFC 4291)', own),
  block('::ffff:0:0/96', 'IPv4 in IPv6 clothes (RFC 4291); write it as IPv4', never),
  block('fe80::/10', 'link-local (RFC 4291)', onSomeLink),
  block('ff00::/8', 'multicast (RFC 4291)', never),
];

/**
 * `prefix.invalid` when the prefix is no good for that. A destination may be wider than such a block (`0.0.0.0/0`, `::/0` and their
 * halves are), a network may not even touch one, since each address of it is given to somebody.
 */
export function specialPrefix(prefix: Prefix, use: PrefixUse, field: string): Problem | null {
  const text = formatPrefix(prefix);
  if (use === 'network' && prefix.bits === 0)
    return problem('prefix.invalid', `${text} is every address there is; choose a smaller network`, field);
  for (const { prefix: block, what, uses } of blocks) {
    if (uses.includes(use)) continue;
    // An interface address keeps its host bits, and only the address itself is the interface's.
    const own = use === 'address' ? { address: prefix.address, bits: prefix.address.length * 8 } : prefix;
    if (containsPrefix(block, own)) return problem('prefix.invalid', `${text} is ${what}; choose another`, field);
    if (use === 'network' && prefixesOverlap(block, prefix))
      return problem(
        'prefix.invalid',
        `${text} has ${formatPrefix(block)} in it, ${what}; choose a smaller one`,
        field,
      );
  }
  return null;
}

/** `prefix.invalid` when a network would have no room for a gateway and somebody else; a /31 (RFC 3021) and a /127 (RFC 6164) have. */
export function tooSmall(prefix: Prefix, field: string): Problem | null {
  const most = prefix.address.length * 8 - 1;
  if (prefix.bits <= most) return null;
  const what = `${formatPrefix(prefix)} is too small: it has no room for a gateway and somebody else`;
  return problem('prefix.invalid', `${what}; choose a /${most} or wider`, field);
}

/** `address.invalid` when the address is no good for that. `text` was read once. */
export function specialAddress(text: string, use: AddressUse, field: string): Problem | null {
  const address = parseIp(text);
  if (!address.ok) return address.error;
  const alone = { address: address.value, bits: address.value.length * 8 };
  const block = blocks.find((one) => !one.uses.includes(use) && containsPrefix(one.prefix, alone));
  return block === undefined ? null : problem('address.invalid', `${text} is ${block.what}; choose another`, field);
}

function block(text: string, what: string, uses: readonly PrefixUse[]): Block {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return { prefix: parsed.value, what, uses };
}
