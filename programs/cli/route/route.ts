/** `vrouterctl route ...`: routes that people ask for; those that follow from networks and peers are made by the gateway. */
import { type CreateRouteRequest, createRouteReply, type Route, routeList } from '@vrouter/api/rest/routes.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, type Limit, limitOption } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';

interface AddOptions {
  readonly vrf?: string;
  readonly interface?: string;
  readonly nextHop?: string;
  readonly blackhole?: boolean;
}

interface RemoveOptions extends IfMatch {
  readonly vrf: string;
}

export function addRoute(program: Command, world: World): void {
  const noun = program
    .command('route')
    .description('routes of a virtual router')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl route add edge-1 192.168.5.0/24 --interface wg0\n  vrouterctl route add edge-1 203.0.113.0/24 --blackhole',
    );

  noun
    .command('add')
    .description('add a route: out of an interface, or dropped on purpose')
    .argument('<vrouter>')
    .argument('<prefix>')
    .option('--interface <name>', 'interface of the virtual router')
    .option(
      '--next-hop <address>',
      'neighbour on the interface to send to; none on WireGuard, where the allowed IPs choose the peer',
    )
    .option('--blackhole', 'drop what goes there')
    .option('--vrf <name>', 'routing table')
    .action(async (vrouter: string, prefix: string, options: AddOptions, command: Command) => {
      const session = sessionOf(world, command);
      if ((options.interface !== undefined) === (options.blackhole === true))
        throw new Failure('usage', 'a route needs one of --interface and --blackhole');
      const request: CreateRouteRequest = {
        prefix,
        ...(options.vrf === undefined ? {} : { vrf: options.vrf }),
        ...(options.interface === undefined ? {} : { interface: options.interface }),
        ...(options.nextHop === undefined ? {} : { nextHop: options.nextHop }),
        ...(options.blackhole === true ? { blackhole: true } : {}),
      };
      const reply = await session
        .controller()
        .create(pathOf`/v1/vrouters/${vrouter}/routes`, request, createRouteReply);
      session.show(
        reply,
        ({ route, version }) => `added ${route.prefix} ${viaOf(route)} in ${route.vrf}, version ${version}`,
      );
    });

  noun
    .command('remove')
    .description('remove a route')
    .argument('<vrouter>')
    .argument('<prefix>')
    .option('--vrf <name>', 'routing table', 'default')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, prefix: string, options: RemoveOptions, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/routes?vrf=${options.vrf}&prefix=${prefix}`;
      const reply = await session.controller().delete(path, deletedReply, options.ifMatch);
      session.show(reply, (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('routes that people asked for')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      await showPages(sessionOf(world, command), { ...listing, path: pathOf`/v1/vrouters/${vrouter}/routes` }, limit);
    });
}

const listing: Omit<Listing<'routes', Route>, 'path'> = {
  member: 'routes',
  schema: routeList,
  heads: ['VRF', 'PREFIX', 'VIA'],
  row: (row) => [row.vrf, row.prefix, viaOf(row)],
  none: 'there are no routes besides those that follow from networks and peers',
};

function viaOf(route: Route): string {
  if (route.blackhole) return 'blackhole';
  return `${route.interface ?? ''}${route.nextHop === null ? '' : ` via ${route.nextHop}`}`;
}
