/** What an object is in the kernel: elements of sets, here called cells, and what must be there for them. */
import { createHash } from 'node:crypto';
import { parseIp } from '@vrouter/core/ip.ts';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import type { SourceCheck } from '@vrouter/intent/model/intents.ts';
import type { IsolationObject, NatPoolObject, NatRuleObject } from '@vrouter/intent/model/objects.ts';
import type { Element } from '../netlink/nftables/element.ts';
import { type Verdict, VerdictCode } from '../netlink/nftables/numbers.ts';
import { STRAYING_ZONE } from './base.ts';
import { join, linkField, numberField, portField, protocolNumbers } from './fields.ts';
import { DEFAULT_VRF, type PoolShape } from './group.ts';
import { writeLabel } from './label.ts';
import { addressBits, type Family, families, poolChain } from './sets.ts';

/** What is asked of a link. */
export interface LinkTraits {
  readonly vrf: string;
  readonly mssClamp: boolean;
  readonly sourceCheck: SourceCheck;
}

export type FirewallObject = NatRuleObject | NatPoolObject | IsolationObject;

export interface Cell extends Element {
  readonly set: string;
}

export interface Wanted {
  readonly cells: readonly Cell[];
  /** The VRF whose group of sets it stands in; null: it needs none. */
  readonly vrf: string | null;
  /** Whose sets of prefixes of this length it stands in. */
  readonly length: readonly [Family, number] | null;
  /** The pool that it is. */
  readonly pool: PoolShape | null;
  /** The pool that it uses, by its id. */
  readonly uses: string | null;
}

export const cellId = (set: string, key: Uint8Array): string => `${set} ${key.toHex()}`;

/** Which chain and maps are a pool's. */
export const poolId = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 16);

/**
 * Number of the world of flows that a VRF has, so that hosts with the same addresses in two of them do not get each other's packets. Two VRFs
 * that have one number by chance are only as far apart as if there were none.
 */
export function zoneOf(vrf: string): number {
  const zone = vrf === DEFAULT_VRF ? 0 : 1 + (createHash('sha256').update(vrf).digest().readUInt16LE() % 0xffff);
  return zone === STRAYING_ZONE ? 1 : zone;
}

const nothing = { cells: [], vrf: null, length: null, pool: null, uses: null } as const;

export function linkCells(name: string, { vrf, mssClamp, sourceCheck }: LinkTraits): Wanted {
  const key = linkField(name);
  const bare = (set: string, of = key): Cell => ({ set, key: of, data: null, userdata: null });
  const cells = [bare('links'), bare('same', join(key, key))];
  if (mssClamp) cells.push(bare('clamp'));
  if (sourceCheck !== 'off') cells.push(bare(sourceCheck));
  if (vrf !== DEFAULT_VRF) cells.push(...vrfCells(name, vrf), { ...bare('vrf_zone'), data: numberField(zoneOf(vrf)) });
  return { ...nothing, cells, vrf };
}

/** What comes by a link, or leaves by it, is a VRF's. */
function vrfCells(link: string, vrf: string): Cell[] {
  const to = (set: string, code: number, chain: string): Cell => ({
    set,
    key: linkField(link),
    data: { code, chain: `${chain}.${vrf}` },
    userdata: null,
  });
  return [
    to('vrf_dnat', VerdictCode.goto, 'dnat'),
    to('vrf_output', VerdictCode.goto, 'output'),
    to('vrf_snat', VerdictCode.goto, 'snat'),
    to('vrf_published', VerdictCode.jump, 'published'),
  ];
}

/** What the host asks of its own addresses in a VRF leaves by the VRF's own device, which is called as it is. */
export function groupCells(vrf: string): readonly Cell[] {
  return vrf === DEFAULT_VRF ? [] : vrfCells(vrf, vrf).filter(({ set }) => set === 'vrf_dnat' || set === 'vrf_output');
}

export function objectCells(object: FirewallObject): Result<Wanted> {
  switch (object.kind) {
    case 'isolation':
      return isolationCells(object);
    case 'natPool':
      return poolCells(object);
    case 'natRule':
      return ruleCells(object);
  }
}

function isolationCells({ link, internal, gateways }: IsolationObject): Result<Wanted> {
  const key = linkField(link);
  const sets = ['guarded', 'dropped', ...(internal ? ['internal'] : [])];
  const cells: Cell[] = sets.map((set) => ({ set, key, data: null, userdata: null }));
  cells.push({ set: 'within', key: join(key, key), data: null, userdata: null });
  for (const [i, text] of gateways.entries()) {
    const address = parseIp(text, `gateways[${i}]`);
    if (!address.ok) return address;
    cells.push({ set: `gateway${familyOf(address.value)}`, key: address.value, data: key, userdata: null });
  }
  return ok({ ...nothing, cells });
}

function poolCells({ name, addresses, ports }: NatPoolObject): Result<Wanted> {
  const userdata = writeLabel({ name, hairpin: true, ports });
  if (!userdata.ok) return userdata;
  if (addresses.length === 0) return err(problem('input.invalid', 'a pool needs an address', 'addresses'));
  const id = poolId(name);
  const count = { 4: 0, 6: 0 };
  const cells: Cell[] = [];
  for (const [i, text] of addresses.entries()) {
    const address = parseIp(text, `addresses[${i}]`);
    if (!address.ok) return address;
    const f = familyOf(address.value);
    cells.push({
      set: `pool${f}.${id}`,
      key: numberField(count[f]++),
      data: address.value,
      userdata: userdata.value,
    });
  }
  return ok({ ...nothing, cells, pool: { id, name, ports, count } });
}

function ruleCells(rule: NatRuleObject): Result<Wanted> {
  const label = writeLabel({ name: rule.name, hairpin: rule.hairpin, ports: null });
  if (!label.ok) return label;
  const { match, to } = rule;
  if (match.type === 'destination' && to.type === 'inside')
    return portCells(rule, match, to.address, to.port, label.value);
  if (match.type === 'address' && to.type === 'host') return hostCells(rule, match.address, to.address, label.value);
  if (match.type === 'source' && (to.type === 'egress' || to.type === 'pool'))
    return sourceCells(rule.vrf, match.prefix, match.leaving, to.type === 'pool' ? to.pool : null, label.value);
  return err(problem('intent.unsupported', `no address rule makes ${to.type} of ${match.type}`, 'to.type'));
}

type Ports = Extract<NatRuleObject['match'], { type: 'destination' }>;

function portCells(
  { vrf, hairpin }: NatRuleObject,
  { address, protocol, ports: [first, last] }: Ports,
  inside: string,
  port: number,
  userdata: Uint8Array,
): Result<Wanted> {
  const both = pair(address ?? inside, inside);
  if (!both.ok) return both;
  const [outside, host] = both.value;
  if (port + last - first > 65_535)
    return err(problem('input.invalid', `the last of these ports would become ${port + last - first}`, 'to.port'));
  const end = `${familyOf(host)}${address === null ? '' : 'at'}.${vrf}`;
  const cells: Cell[] = [];
  for (let i = 0; i <= last - first; i++) {
    const asked = [Uint8Array.of(protocolNumbers[protocol]), portField(first + i)];
    const key = address === null ? join(...asked) : join(outside, ...asked);
    cells.push({ set: `port${end}`, key, data: join(host, portField(port + i)), userdata });
    cells.push({ set: `seen${end}`, key, data: null, userdata });
    if (!hairpin) cells.push({ set: `closed${end}`, key, data: null, userdata });
  }
  return ok({ ...nothing, cells, vrf });
}

function hostCells(
  { vrf, hairpin }: NatRuleObject,
  address: string,
  host: string,
  userdata: Uint8Array,
): Result<Wanted> {
  const both = pair(address, host);
  if (!both.ok) return both;
  const [outside, inside] = both.value;
  const end = `${familyOf(outside)}.${vrf}`;
  const cells: Cell[] = [
    { set: `float${end}`, key: outside, data: inside, userdata },
    { set: `host${end}`, key: inside, data: outside, userdata },
  ];
  if (!hairpin) cells.push({ set: `closedhost${end}`, key: outside, data: null, userdata });
  return ok({ ...nothing, cells, vrf });
}

function sourceCells(
  vrf: string,
  text: string,
  leaving: readonly string[] | null,
  pool: string | null,
  userdata: Uint8Array,
): Result<Wanted> {
  const prefix = parsePrefix(text, 'match.prefix');
  if (!prefix.ok) return prefix;
  const { address, bits } = prefix.value;
  const f = familyOf(address);
  const uses = pool === null ? null : poolId(pool);
  const data: Verdict | null = uses === null ? null : { code: VerdictCode.goto, chain: poolChain(uses) };
  const set = `${leaving === null ? 'any' : 'leave'}${pool === null ? '' : 'pool'}${f}_${bits}.${vrf}`;
  // A rule for no link at all is one for a link that has no name.
  const links = leaving?.length === 0 ? [''] : leaving;
  const keys = links === null ? [address] : [...new Set(links)].map((link) => join(address, linkField(link)));
  const cells = keys.map((key): Cell => ({ set, key, data, userdata }));
  return ok({ ...nothing, cells, vrf, length: [f, bits], uses });
}

export function familyOf(address: Uint8Array): Family {
  return families.find((f) => addressBits(f) === address.length * 8)!;
}

/** Two addresses of one family. */
function pair(outside: string, inside: string): Result<readonly [Uint8Array, Uint8Array]> {
  const [a, b] = [parseIp(outside, 'match.address'), parseIp(inside, 'to.address')];
  if (!a.ok) return a;
  if (!b.ok) return b;
  if (a.value.length !== b.value.length) return err(mixed(outside, inside));
  return ok([a.value, b.value]);
}

function mixed(outside: string, inside: string): Problem {
  return problem('input.invalid', `${outside} and ${inside} are of two families`, 'to.address');
}
