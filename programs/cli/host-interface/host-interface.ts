/** `vrouterctl host-interface ...`: interfaces of the gateway's own machine into its VRFs. */
import {
  type CreateHostInterfaceRequest,
  createHostInterfaceReply,
  type HostInterface,
  hostInterfaceList,
  hostInterfaceReply,
} from '@vrouter/api/rest/host-interfaces.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { pairs } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import {
  type IfMatch,
  ifMatchOption,
  type Limit,
  limitOption,
  list,
  type MssClamp,
  mssClampOption,
  type SourceCheck,
  sourceCheckOption,
  whole,
} from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import type { DryRun } from '../dry-run/dry-run.ts';
import { sessionOf, type World } from '../session.ts';
import { problemText } from '../text/problem.ts';

interface AddOptions extends DryRun {
  readonly address?: readonly string[];
  readonly route?: readonly string[];
  readonly vrf?: string;
  readonly mtu?: number;
  readonly mssClamp?: MssClamp;
  readonly sourceCheck?: SourceCheck;
}

const help = `
The gateway obeys only if its own file says "allow: { hostInterface: true }" (or vrouterd was started with
--allow-host-interface); PROBLEM tells intent.refused otherwise.

Examples:
  vrouterctl host-interface add edge-1 host0 --address 10.99.0.1/24 --route 10.77.0.0/24
  vrouterctl host-interface list edge-1`;

export function addHostInterface(program: Command, world: World): void {
  const noun = program
    .command('host-interface')
    .description("interfaces of the gateway's own machine into a virtual router")
    .addHelpText('after', help);

  noun
    .command('add')
    .description('give the machine an interface whose other side is a routing table of the virtual router')
    .argument('<vrouter>')
    .argument('<name>')
    .option('--address <cidr>', "the machine's own on it; may be repeated", list)
    .option('--route <cidr>', 'network that the machine reaches through it; may be repeated', list)
    .option('--vrf <name>', 'routing table on its other side')
    .option('--mtu <bytes>', 'MTU; default 1420', whole(576, 9216))
    .addOption(mssClampOption())
    .addOption(sourceCheckOption())
    .action(async (vrouter: string, name: string, options: AddOptions, command: Command) => {
      const session = sessionOf(world, command);
      const { address, route, dryRun: _, ...rest } = optionsOf(options);
      const request: CreateHostInterfaceRequest = {
        name,
        ...rest,
        ...(address === undefined ? {} : { addresses: [...address] }),
        ...(route === undefined ? {} : { routes: [...route] }),
      };
      const path = pathOf`/v1/vrouters/${vrouter}/host-interfaces`;
      const reply = await session.controller().create(path, request, createHostInterfaceReply);
      session.show(reply, (data) => `added ${data.hostInterface.name}, version ${data.version}`);
    });

  noun
    .command('remove')
    .description('take the interface away from the machine')
    .argument('<vrouter>')
    .argument('<name>')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, name: string, { ifMatch }: IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/host-interfaces/${name}`;
      session.show(await session.controller().delete(path, deletedReply, ifMatch), (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('host interfaces, and what the gateway says against them')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      await showPages(
        sessionOf(world, command),
        { ...listing, path: pathOf`/v1/vrouters/${vrouter}/host-interfaces` },
        limit,
      );
    });

  noun
    .command('show')
    .description('one host interface')
    .argument('<vrouter>')
    .argument('<name>')
    .action(async (vrouter: string, name: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/host-interfaces/${name}`;
      session.show(await session.controller().get(path, hostInterfaceReply), (data) => rowText(data.hostInterface));
    });
}

/** Without those that were not given: the controller has defaults for them. */
function optionsOf(options: AddOptions): AddOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

const listing: Omit<Listing<'hostInterfaces', HostInterface>, 'path'> = {
  member: 'hostInterfaces',
  schema: hostInterfaceList,
  heads: ['INTERFACE', 'VRF', 'MTU', 'ADDRESSES', 'ROUTES', 'PROBLEM'],
  row: ({ name, vrf, mtu, addresses, routes, problem }) => [
    name,
    vrf,
    mtu,
    addresses.join(', '),
    routes.join(', '),
    problem?.code ?? null,
  ],
  none: 'there are no host interfaces; make one with: vrouterctl host-interface add VROUTER NAME',
};

function rowText(row: HostInterface): string {
  return pairs([
    ['interface', row.name],
    ['vrouter', row.vrouter],
    ['VRF', row.vrf],
    ['MTU', row.mtu],
    ['MSS clamp', row.mssClamp],
    ['source check', row.sourceCheck],
    ['addresses', row.addresses.join(', ')],
    ['routes', row.routes.join(', ')],
    ['problem', problemText(row.problem)],
    ['etag', row.etag ?? null],
  ]);
}
