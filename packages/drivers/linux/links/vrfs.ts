/** VRFs: a device of the kernel for each, with a routing table of its own. The default one is no device, and its table is `main`. */
import type { ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import type { LinkRow } from '../netlink/link.ts';
import { replaceRoute } from '../netlink/route.ts';
import type { LinkTable } from './table.ts';

export const RT_TABLE_MAIN = 254;
/** Of the last route of a VRF's table, which keeps its packets from going on to the main one (Documentation/networking/vrf.rst). */
export const LAST_METRIC = 4_278_198_272;

export const DEFAULT_VRF: Observed = {
  key: 'vrf/default' as ObjectKey,
  object: { kind: 'vrf', name: 'default', tableId: 0 },
  learned: {},
};

/** Number of the device (0 of the default) and of the table; null: there is no such VRF of ours. */
export function tableOf(links: LinkTable, vrf: string): { readonly index: number; readonly table: number } | null {
  if (vrf === 'default') return { index: 0, table: RT_TABLE_MAIN };
  const row = links.of(vrf);
  return row?.kind === 'vrf' && row.table !== null ? { index: row.index, table: row.table } : null;
}

export function vrfRows(links: LinkTable): Observed[] {
  const rows: Observed[] = [];
  for (const [name, row] of links.ours()) {
    const vrf = vrfRow(name, row);
    if (vrf !== null) rows.push(vrf);
  }
  return rows;
}

/** Null: this link is no VRF, or is called otherwise, which is mended as if it were not there. */
export function vrfRow(name: string, row: LinkRow): Observed | null {
  if (row.kind !== 'vrf' || row.table === null || row.name !== name) return null;
  return { key: `vrf/${name}` as ObjectKey, object: { kind: 'vrf', name, tableId: row.table }, learned: {} };
}

/** What ends the search in a new table, in both families where there are both. */
export function vrfRequests(table: number, ipv6: boolean): Uint8Array[] {
  return (ipv6 ? [4, 16] : [4]).map((length) =>
    replaceRoute({
      table,
      prefix: { address: new Uint8Array(length), bits: 0 },
      metric: LAST_METRIC,
      target: { type: 'unreachable' },
    }),
  );
}
