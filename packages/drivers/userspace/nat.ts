/** NAT objects and the engine's words for them: one kind of rule here, two there. */
import type { Action, DumpRow } from '@vrouter/engine/control/messages.ts';
import type { Learned, NatPoolObject, NatRuleObject } from '@vrouter/intent/model/objects.ts';

type NatRow = Extract<DumpRow, { is: 'natPool' | 'masquerade' | 'publish' | 'floating' }>;

/** The action that makes a rule. */
export function natRuleAction(object: NatRuleObject): Action {
  const { name, vrf, match, to, hairpin } = object;
  if (match.type === 'address') {
    if (to.type !== 'host') throw new TypeError(`${name} gives a host an address without naming it`);
    return { do: 'floating.set', name, vrf, address: match.address, toAddress: to.address };
  }
  if (match.type === 'source') {
    if (to.type === 'inside' || to.type === 'host')
      throw new TypeError(`${name} translates sources to an inside address`);
    const { prefix, leaving } = match;
    return { do: 'masquerade.set', name, vrf, prefix, leaving, pool: to.type === 'pool' ? to.pool : null, hairpin };
  }
  if (to.type !== 'inside') throw new TypeError(`${name} publishes a port to no inside address`);
  const [firstPort, lastPort] = match.ports;
  const { protocol, address } = match;
  if (protocol === 'sctp') throw new TypeError(`${name} publishes a port of a protocol that the engine does not have`);
  const inside = { toAddress: to.address, toPort: to.port };
  return { do: 'publish.set', name, vrf, protocol, address, firstPort, lastPort, ...inside, hairpin };
}

/** A row as the object that it is, and what the engine has learnt. */
export function natObserved(row: NatRow): [NatPoolObject | NatRuleObject, Learned] {
  if (row.is === 'natPool') {
    const { name, addresses, firstPort, lastPort, sessions, exhausted } = row;
    return [
      { kind: 'natPool', name, addresses, ports: [firstPort, lastPort] },
      { sessions, exhausted },
    ];
  }
  const { name, vrf, packets, bytes, sessions } = row;
  const learned = { packets, bytes, sessions };
  if (row.is === 'floating') {
    const match = { type: 'address', address: row.address } as const;
    // The engine's are always reached from the inside too.
    return [
      { kind: 'natRule', name, vrf, match, to: { type: 'host', address: row.toAddress }, hairpin: true },
      learned,
    ];
  }
  const { hairpin } = row;
  if (row.is === 'masquerade') {
    const { prefix, leaving, pool } = row;
    const to = pool === null ? ({ type: 'egress' } as const) : ({ type: 'pool', pool } as const);
    return [{ kind: 'natRule', name, vrf, match: { type: 'source', prefix, leaving }, to, hairpin }, learned];
  }
  const { protocol, address, firstPort, lastPort, toAddress, toPort } = row;
  const match = { type: 'destination', address, protocol, ports: [firstPort, lastPort] } as const;
  const to = { type: 'inside', address: toAddress, port: toPort } as const;
  return [{ kind: 'natRule', name, vrf, match, to, hairpin }, learned];
}
