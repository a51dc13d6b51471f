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
  await kernel.dump(askFlows(null), 'conntrack', (message) => {
    const flow = sessions.length < limit ? parseFlow(message) : null;
    if (flow !== null && (flow.status & NAT) !== 0) sessions.push(sessionOf(flow));
    return null;
  });
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

/** Ends the flows that came by a published port or a floating address, or left by a masquerade, as the rule said. Returns how many. Throws ProblemError. */
export async function cutFlows(kernel: Conversation, rule: NatRuleObject): Promise<number> {
  const found = flowsOf(rule);
  if (found === null) return 0;
  const { filters, matches } = found;
  let cut = 0;
  for (const filter of filters) {
    const flows = await kernel.dump(askFlows(filter), 'conntrack', parseFlow);
    const verdicts = await kernel.change(flows.filter(matches).map(({ identity }) => deleteFlow(identity)));
    cut += verdicts.filter((verdict) => verdict === null).length;
  }
  return cut;
}

interface Found {
  readonly filters: readonly FlowFilter[];
  readonly matches: (flow: FlowRow) => boolean;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Null: a rule that no flow can be known by. */
function flowsOf({ match, to }: NatRuleObject): Found | null {
  if (match.type === 'source') {
    const sources = parsePrefix(match.prefix);
    if (!sources.ok) throw new TypeError(sources.error.message);
    return {
      filters: [{ family: familyOf(sources.value.address), destination: null, service: null }],
      matches: ({ status, original }) =>
        (status & NAT) === FlowStatus.sourceNat && isInside(original.source, sources.value),
    };
  }
  if (match.type === 'destination' && to.type === 'inside') {
    const inside = addressOf(to.address);
    const outside = match.address === null ? null : addressOf(match.address);
    const protocol = protocolNumbers[match.protocol];
    const [first, last] = match.ports;
    const service = first === last ? { protocol, port: first } : null;
    return {
      filters: [{ family: familyOf(inside), destination: outside, service }],
      matches: ({ status, protocol: its, original, reply }) =>
        (status & FlowStatus.destinationNat) !== 0 &&
        its === protocol &&
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
      filters: [{ family: familyOf(inside), destination: null, service: null }],
      matches: ({ status, original, reply }) =>
        (status & NAT) !== 0 &&
        ((same(original.destination, outside) && same(reply.source, inside)) ||
          (same(original.source, inside) && same(reply.destination, outside))),
    };
  }
  return null;
}

function isInside(address: Uint8Array, prefix: Prefix): boolean {
  return containsPrefix(prefix, { address, bits: address.length * 8 });
}

function addressOf(text: string): Uint8Array {
  const parsed = parseIp(text);
  if (!parsed.ok) throw new TypeError(`${text} is no address`);
  return parsed.value;
}
