/** Flows whose addresses are translated: told, and cut when what they came by is taken away. */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { containsPrefix, type Prefix, parsePrefix } from '@vrouter/core/prefix.ts';
import type { NatRuleObject } from '@vrouter/intent/model/objects.ts';
import {
  askFlows,
  deleteFlow,
  type FlowFilter,
  type FlowRow,
  FlowStatus,
  parseFlow,
} from '../netlink/conntrack/flow.ts';
import type { Conversation } from '../netlink/conversation.ts';
import { familyOf } from '../netlink/message.ts';
import { zoneOf } from './cells.ts';
import { protocolNumbers } from './fields.ts';

export interface Session {
  /** IP protocol. */
  readonly protocol: number;
  /** `address:port`, the port 0 where there is none; as the first packet came. */
  readonly from: SessionEnd;
  readonly to: SessionEnd;
  /** What the source is outside, and where the destination is inside; the same as before where it is not translated. */
  readonly fromBecomes: SessionEnd;
  readonly toBecomes: SessionEnd;
  readonly packets: number | null;
  readonly bytes: number | null;
  readonly expiresSeconds: number;
}

export interface SessionEnd {
  readonly address: string;
  readonly port: number;
}

const NAT = FlowStatus.sourceNat | FlowStatus.destinationNat;

/** Some of those that anybody translates on this host. Throws ProblemError. */
export async function natSessions(kernel: Conversation, limit: number): Promise<readonly Session[]> {
  const sessions: Session[] = [];
  await kernel.dump(
    askFlows(null),
    'conntrack',
    (message) => {
      const flow = sessions.length < limit ? parseFlow(message) : null;
      if (flow !== null && (flow.status & NAT) !== 0) sessions.push(sessionOf(flow));
      return null;
    },
    true,
  );
  return sessions;
}

function sessionOf({ protocol, original, reply, packets, bytes, timeoutSeconds }: FlowRow): Session {
  const end = (address: Uint8Array, port: number): SessionEnd => ({ address: formatIp(address), port });
  return {
    protocol,
    from: end(original.source, original.sourcePort),
    to: end(original.destination, original.destinationPort),
    fromBecomes: end(reply.destination, reply.destinationPort),
    toBecomes: end(reply.source, reply.sourcePort),
    packets,
    bytes,
    expiresSeconds: timeoutSeconds,
  };
}

/** Whether an address is one of this host. */
export type IsOwn = (address: Uint8Array) => boolean;

/**
 * Ends the flows that came by published ports or floating addresses, or left by masquerades, as the rules said, at one look at all flows of a
 * family. Returns how many. Throws ProblemError.
 */
export async function cutFlows(kernel: Conversation, rules: readonly NatRuleObject[]): Promise<number> {
  return cut(
    kernel,
    rules.flatMap((rule) => flowsOf(rule) ?? []),
    null,
  );
}

/**
 * Ends flows of UDP to published ports that began before there were these: the kernel decides with the first packet of a flow where it goes, and
 * one that goes on sending would never get in. Of TCP the host has ended them. Returns how many. Throws ProblemError.
 */
export async function cutUntranslated(
  kernel: Conversation,
  rules: readonly NatRuleObject[],
  own: () => Promise<IsOwn>,
): Promise<number> {
  return cut(
    kernel,
    rules.flatMap((rule) => earlierFlowsOf(rule) ?? []),
    own,
  );
}

/** `own`: of those found, only what was sent to the host itself; asked when there are some. */
async function cut(kernel: Conversation, all: readonly Found[], own: (() => Promise<IsOwn>) | null): Promise<number> {
  let count = 0;
  for (const family of new Set(all.map(({ filter }) => filter.family))) {
    const found = all.filter(({ filter }) => filter.family === family);
    const matches = anyOf(found);
    // The kernel chooses what one rule is about; of several it is asked for everything.
    const filter = found.length === 1 ? found[0]!.filter : { family, destination: null, service: null };
    const flows = await kernel.dump(
      askFlows(filter),
      'conntrack',
      (message) => {
        const flow = parseFlow(message);
        return flow !== null && matches(flow) ? flow : null;
      },
      true,
    );
    const isOwn = own === null || flows.length === 0 ? null : await own();
    const ended = isOwn === null ? flows : flows.filter(({ original }) => isOwn(original.destination));
    const verdicts = await kernel.change(ended.map(({ identity }) => deleteFlow(identity)));
    count += verdicts.filter((verdict) => verdict === null).length;
  }
  return count;
}

interface Found {
  readonly filter: FlowFilter;
  /** Of the destination, where the rule is about some; null: about all. */
  readonly ports: readonly [number, number] | null;
  readonly matches: (flow: FlowRow) => boolean;
}

/** Whether a flow is of any of them; those about ports are found by the port, since there may be ten thousand. */
function anyOf(found: readonly Found[]): (flow: FlowRow) => boolean {
  const byPort = new Map<number, Found[]>();
  const others: Found[] = [];
  for (const one of found) {
    if (one.ports === null) others.push(one);
    else
      for (let port = one.ports[0]; port <= one.ports[1]; port++) {
        const list = byPort.get(port);
        if (list === undefined) byPort.set(port, [one]);
        else list.push(one);
      }
  }
  return (flow) =>
    [...(byPort.get(flow.original.destinationPort) ?? []), ...others].some(({ matches }) => matches(flow));
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Null: a rule that no flow can be known by. */
function flowsOf({ vrf, match, to }: NatRuleObject): Found | null {
  const zone = zoneOf(vrf);
  if (match.type === 'source') {
    const sources = parsePrefix(match.prefix);
    if (!sources.ok) throw new TypeError(sources.error.message);
    return {
      filter: { family: familyOf(sources.value.address), destination: null, service: null },
      ports: null,
      matches: ({ status, zone: its, original }) =>
        its === zone && (status & NAT) === FlowStatus.sourceNat && isInside(original.source, sources.value),
    };
  }
  if (match.type === 'destination' && to.type === 'inside') {
    const inside = addressOf(to.address);
    const outside = match.address === null ? null : addressOf(match.address);
    const protocol = protocolNumbers[match.protocol];
    const [first, last] = match.ports;
    const service = first === last ? { protocol, port: first } : null;
    return {
      filter: { family: familyOf(inside), destination: outside, service },
      ports: [first, last],
      matches: ({ status, zone: its, protocol: by, original, reply }) =>
        its === zone &&
        (status & FlowStatus.destinationNat) !== 0 &&
        by === protocol &&
        original.destinationPort >= first &&
        original.destinationPort <= last &&
        (outside === null || same(original.destination, outside)) &&
        same(reply.source, inside) &&
        reply.sourcePort - to.port === original.destinationPort - first,
    };
  }
  if (match.type === 'address' && to.type === 'host') {
    const [outside, inside] = [addressOf(match.address), addressOf(to.address)];
    return {
      // In, and out: the latter is known by what answers go to, which the kernel is not asked for here.
      filter: { family: familyOf(inside), destination: null, service: null },
      ports: null,
      matches: ({ status, zone: its, original, reply }) =>
        its === zone &&
        (status & NAT) !== 0 &&
        ((same(original.destination, outside) && same(reply.source, inside)) ||
          (same(original.source, inside) && same(reply.destination, outside))),
    };
  }
  return null;
}

/** What a rule would have translated, had it been there. Null: it is none of UDP's ports. */
function earlierFlowsOf({ vrf, match, to }: NatRuleObject): Found | null {
  if (match.type !== 'destination' || match.protocol !== 'udp' || to.type !== 'inside') return null;
  const zone = zoneOf(vrf);
  const protocol = protocolNumbers.udp;
  const outside = match.address === null ? null : addressOf(match.address);
  const [first, last] = match.ports;
  return {
    filter: {
      family: familyOf(addressOf(to.address)),
      destination: outside,
      service: first === last ? { protocol, port: first } : null,
    },
    ports: [first, last],
    matches: ({ status, zone: its, protocol: by, original }) =>
      its === zone &&
      (status & FlowStatus.destinationNat) === 0 &&
      by === protocol &&
      original.destinationPort >= first &&
      original.destinationPort <= last &&
      (outside === null || same(original.destination, outside)),
  };
}

function isInside(address: Uint8Array, prefix: Prefix): boolean {
  return containsPrefix(prefix, { address, bits: address.length * 8 });
}

function addressOf(text: string): Uint8Array {
  const parsed = parseIp(text);
  if (!parsed.ok) throw new TypeError(`${text} is no address`);
  return parsed.value;
}
