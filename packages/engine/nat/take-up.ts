/** Flows of published ports that go on without us knowing of them: we were restarted, and the inside speaks first. */
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { Drop } from '../graph/drops.ts';
import type { Flow } from './flow.ts';
import { isSynAck, mayOpen } from './judge.ts';
import { realm } from './mappings.ts';
import type { PublishedRange } from './published.ts';
import { FULL, type Sessions } from './sessions.ts';

/**
 * Whether a packet of a published port may be of a flow that we have forgotten, and not of one by the inside address: it leaves by a
 * link that the published address is reached by, or under a masquerade, behind which nobody speaks to the inside address. `ownAddress`
 * is that of the way out, 0 without.
 */
export function mayBeForgotten(
  flow: Flow,
  { address, reachedBy }: PublishedRange,
  ingress: number,
  egress: number,
  ownAddress: number,
  isMasqueraded: boolean,
): boolean {
  // An own address of each link has none where the link has none.
  if (address === 0 && ownAddress === 0) return false;
  if (isMasqueraded) return true;
  // Its SYN comes again by the address that was asked: then we know.
  if (egress === ingress || (flow.protocol === IpProtocol.tcp && isSynAck(flow.tcpFlags))) return false;
  return reachedBy === null || reachedBy[egress] === 1 || reachedBy[ingress] === 1;
}

/** A session for such a flow, under the outside port that it had; when it is refused, the reason with all bits turned. */
export function takeUp(
  sessions: Sessions,
  flow: Flow,
  vrf: number,
  target: PublishedRange,
  ownAddress: number,
): number {
  const { protocol, src, srcPort, dst, dstPort } = flow;
  if (protocol === IpProtocol.tcp && (!mayOpen(flow.tcpFlags) || isSynAck(flow.tcpFlags))) return ~Drop.natNoSession;
  const refusal = sessions.refusal(src, vrf);
  if (refusal !== 0) return ~(refusal === FULL ? Drop.natTableFull : Drop.natHostLimit);
  const ip = target.address === 0 ? ownAddress : target.address;
  const port = target.firstPort + srcPort - target.toPort;
  if (sessions.findOutside(ip, port, dst, dstPort, realm(protocol, vrf)) >= 0) return ~Drop.natPortsExhausted;
  return sessions.create(protocol, src, srcPort, vrf, ip, port, vrf, dst, dstPort, -1, target.rule);
}
