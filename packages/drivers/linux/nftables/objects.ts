/** What elements in the kernel mean: whose they are, and the object that they make together. */
import { formatIp } from '@vrouter/core/ip.ts';
import { formatPrefix } from '@vrouter/core/prefix.ts';
import type { NatMatch, NatPoolObject, NatRuleObject, NatTarget } from '@vrouter/intent/model/objects.ts';
import type { Cell, FirewallObject, LinkTraits } from './cells.ts';
import { LINK_BYTES, portOf, protocolNumbers, readLink, split, type Transport } from './fields.ts';
import { DEFAULT_VRF } from './group.ts';
import { readLabel } from './label.ts';
import { addressBits, parseSetName, type SetName } from './sets.ts';

const LINK_SETS = new Set([
  'links',
  'same',
  'clamp',
  'strict',
  'loose',
  'vrf_dnat',
  'vrf_output',
  'vrf_snat',
  'vrf_published',
  'vrf_zone',
]);
const GATEWAY_SETS = new Set(['gateway4', 'gateway6']);
const ISOLATION_SETS = new Set(['guarded', 'within', 'internal', 'dropped']);

/** The key of an object, or `link/NAME`; null: nobody's. */
export function ownerOf({ set, key, data, userdata }: Cell): string | null {
  // The VRF's own device.
  if (set.startsWith('vrf_') && !(data instanceof Uint8Array) && data?.chain?.endsWith(`.${readLink(key)}`))
    return null;
  if (LINK_SETS.has(set)) return `link/${readLink(key.subarray(0, LINK_BYTES))}`;
  if (GATEWAY_SETS.has(set)) return data instanceof Uint8Array ? `isolation/${readLink(data)}` : null;
  if (ISOLATION_SETS.has(set)) return `isolation/${readLink(key.subarray(0, LINK_BYTES))}`;
  const name = readLabel(userdata)?.name;
  if (name === undefined) return null;
  return `${parseSetName(set)?.part === 'pool' ? 'natPool' : 'natRule'}/${name}`;
}

/** Null: it is not all there, or says two things. `poolName`: of the chain of a pool. */
export function readObject(
  owner: string,
  cells: readonly Cell[],
  poolName: (chain: string) => string | null,
): FirewallObject | null {
  const kind = owner.slice(0, owner.indexOf('/'));
  const name = owner.slice(kind.length + 1);
  if (kind === 'isolation')
    return {
      kind: 'isolation',
      link: name,
      internal: cells.some(({ set }) => set === 'internal'),
      gateways: cells
        .filter(({ set }) => GATEWAY_SETS.has(set))
        .map(({ set, key }) => formatIp(split(key, set === 'gateway4' ? 4 : 16)[0]!))
        .sort(),
    };
  if (kind === 'natPool') return readPool(name, cells);
  return kind === 'natRule' ? readRule(name, cells, poolName) : null;
}

export function readTraits(cells: readonly Cell[]): LinkTraits | null {
  const has = (set: string): boolean => cells.some((cell) => cell.set === set);
  if (!has('links')) return null;
  const to = cells.find(({ set }) => set === 'vrf_dnat')?.data;
  const chain = to == null || to instanceof Uint8Array ? null : to.chain;
  return {
    vrf: chain === null ? DEFAULT_VRF : chain.slice(chain.indexOf('.') + 1),
    mssClamp: has('clamp'),
    sourceCheck: has('strict') ? 'strict' : has('loose') ? 'loose' : 'off',
  };
}

function readPool(name: string, cells: readonly Cell[]): NatPoolObject | null {
  const ports = readLabel(cells[0]?.userdata ?? null)?.ports ?? null;
  const addresses = cells.flatMap(({ data }) => (data instanceof Uint8Array ? [formatIp(data)] : []));
  return ports === null ? null : { kind: 'natPool', name, addresses: addresses.sort(), ports };
}

function readRule(
  name: string,
  cells: readonly Cell[],
  poolName: (chain: string) => string | null,
): NatRuleObject | null {
  const first = cells[0];
  const named = first === undefined ? null : parseSetName(first.set);
  const label = readLabel(first?.userdata ?? null);
  if (named === null || label === null) return null;
  const found = readMatch(named, cells, poolName);
  return found && { kind: 'natRule', name, vrf: named.of, ...found, hairpin: label.hairpin };
}

type Found = { readonly match: NatMatch; readonly to: NatTarget };

function readMatch(
  { part, family, bits }: SetName,
  cells: readonly Cell[],
  poolName: (chain: string) => string | null,
): Found | null {
  const width = addressBits(family) / 8;
  if (bits === null) {
    const float = cells.find(({ set }) => set.startsWith('float'));
    if (float?.data instanceof Uint8Array)
      return {
        match: { type: 'address', address: formatIp(float.key) },
        to: { type: 'host', address: formatIp(float.data) },
      };
    return readPorts(
      cells.filter(({ set }) => set.startsWith('port')),
      width,
      cells.some(({ set }) => parseSetName(set)?.part.endsWith('at') ?? false),
    );
  }
  const leaves = part.startsWith('leave');
  const [address] = split(cells[0]!.key, width);
  const links = cells.map(({ key }) => readLink(key.subarray(width))).filter((link) => link !== '');
  const to = readTarget(part, cells[0]!, poolName);
  const prefix = formatPrefix({ address: address!, bits });
  return to && { match: { type: 'source', prefix, leaving: leaves ? links.sort() : null }, to };
}

function readTarget(part: string, { data }: Cell, poolName: (chain: string) => string | null): NatTarget | null {
  if (!part.endsWith('pool')) return { type: 'egress' };
  const pool = data === null || data instanceof Uint8Array ? null : poolName(data.chain ?? '');
  return pool === null ? null : { type: 'pool', pool };
}

/** One port or consecutive ones. */
function readPorts(cells: readonly Cell[], width: number, named: boolean): Found | null {
  const rows = cells
    .map(({ key, data }) => {
      const [address, protocol, port] = named ? split(key, width, 1, 2) : [null, ...split(key, 1, 2)];
      const [inside, to] = split(data instanceof Uint8Array ? data : new Uint8Array(0), width, 2);
      return { address, protocol: protocol![0]!, port: portOf(port!), inside: inside!, to: portOf(to!) };
    })
    .sort((a, b) => a.port - b.port);
  const [first, last] = [rows[0], rows.at(-1)];
  const protocol = (Object.keys(protocolNumbers) as Transport[]).find(
    (one) => protocolNumbers[one] === first?.protocol,
  );
  if (first === undefined || last === undefined || protocol === undefined) return null;
  const address = first.address === null ? null : formatIp(first.address!);
  return {
    match: { type: 'destination', address, protocol, ports: [first.port, last.port] },
    to: { type: 'inside', address: formatIp(first.inside), port: first.to },
  };
}
