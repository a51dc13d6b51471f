/** A traced packet for people: what it is, the nodes that it visited with what each decided, and its end. */
import type { TraceEvent } from '@vrouter/api/gateway/gateway.ts';
import { plain } from '@vrouter/core/table.ts';

type Packet = NonNullable<TraceEvent['packet']>;

const NAME_WIDTH = 18;

export function traceText(event: TraceEvent): string {
  const time = new Date(event.unixMs).toISOString().slice(11, 23);
  const from = event.peer === null ? event.link : `${event.link} from ${peerText(event.peer, event)}`;
  const what = event.packet === null ? 'a datagram that is no packet for us' : packetText(event.packet);
  const steps = event.steps.map(({ node, facts }) => {
    const words = factsText(facts, event);
    return `  ${words === '' ? node : `${node.padEnd(NAME_WIDTH)}${words}`}`;
  });
  return [`${time}  ${from}  ${what}`, ...steps, `  => ${endText(event)}`].map(plain).join('\n');
}

function packetText(packet: Packet): string {
  const { source, destination, protocol, sourcePort, destinationPort, icmpType, fragmentOffset, ttl, length } = packet;
  const from = sourcePort === undefined ? source : withPort(source, sourcePort);
  const to = destinationPort === undefined ? destination : withPort(destination, destinationPort);
  const type = icmpType === undefined ? '' : ` type ${icmpType}`;
  const piece = fragmentOffset === undefined ? '' : ` piece at ${fragmentOffset}`;
  return `${from} > ${to}  ${protocol}${type}${piece} ttl ${ttl}, ${length} bytes`;
}

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `drop` is the end, and told there with its node; two facts make one word where that reads better. */
function factsText(facts: TraceEvent['steps'][number]['facts'], event: TraceEvent): string {
  const { prefix, vrf, to, link, nextHop, ...rest } = facts;
  const words: string[] = [];
  if (to !== undefined) {
    words.push(prefix === undefined ? `no route in ${vrf}` : `${prefix} in ${vrf} -> ${to === 'link' ? link : to}`);
    if (nextHop !== undefined) words.push(`via ${nextHop}`);
  } else if (link !== undefined) words.push(String(link));
  for (const [name, value] of Object.entries(rest)) {
    if (name === 'peer') words.push(peerText(String(value), event));
    else if (name === 'endpoint') words.push(`at ${value}`);
    else if (name === 'state') words.push(String(value));
    else if (name === 'drop') words.push(`drops it: ${value}`);
    else words.push(`${name} ${value}`);
  }
  return words.join(', ');
}

function peerText(publicKey: string, event: TraceEvent): string {
  const name = publicKey === event.peer ? event.peerName : publicKey === event.outPeer ? event.outPeerName : '';
  return name === '' ? `peer ${publicKey.slice(0, 8)}...` : name;
}

function endText(event: TraceEvent): string {
  if (event.drop !== null) return `dropped: ${event.drop}`;
  if (event.end === 'consumed') return 'kept by the last node';
  return event.outPeer === null
    ? `sent by ${event.outLink}`
    : `sent by ${event.outLink} to ${peerText(event.outPeer, event)}`;
}
