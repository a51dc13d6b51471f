import { type RouteRow, routeRow } from '@vrouter/api/gateway/gateway.ts';
import { table } from '@vrouter/core/table.ts';
import { listOf } from '../clients/list.ts';

export const routesReply = listOf('routes', routeRow);

export function routesText(data: { readonly routes: readonly RouteRow[] }): string {
  return table(
    ['VRF', 'PREFIX', 'INTERFACE', 'NEXT HOP', 'FROM'],
    data.routes.map((row) => [row.vrf, row.prefix, row.interface ?? 'blackhole', row.nextHop, row.from]),
    'there are no routes',
  );
}
