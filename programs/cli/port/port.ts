/** `vrouterctl port ...`: ports of a virtual router into Ethernets of the gateway's machine. */
import { type CreatePortRequest, createPortReply, type Port, portList, portReply } from '@vrouter/api/rest/ports.ts';
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
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';
import { problemText } from '../text/problem.ts';

interface AddOptions extends DryRun {
  readonly device?: string;
  readonly tap?: string;
  readonly vlan?: number;
  readonly mac?: string;
  readonly address?: readonly string[];
  readonly vrf?: string;
  readonly mtu?: number;
  readonly mssClamp?: MssClamp;
  readonly sourceCheck?: SourceCheck;
}

const help = `
The gateway obeys only if its own file says "allow: { port: true }"; PROBLEM tells intent.refused otherwise.

Examples:
  vrouterctl port add edge-1 lan --device eth1 --address 192.168.1.1/24
  vrouterctl port add edge-1 guests --device eth1 --vlan 20 --address 192.168.20.1/24 --vrf blue
  vrouterctl port list edge-1`;

export function addPort(program: Command, world: World): void {
  const noun = program
    .command('port')
    .description("ports of a virtual router into Ethernets of the gateway's own machine")
    .addHelpText('after', help);

  noun
    .command('add')
    .description('a port into the Ethernet of an interface that is there, or of a TAP that is made')
    .argument('<vrouter>')
    .argument('<name>')
    .option('--device <interface>', 'an interface that the machine has')
    .option('--tap <interface>', 'a TAP device that is made there')
    .option('--vlan <id>', 'the VLAN whose frames are its own; default: frames without a tag', whole(1, 4094))
    .option('--mac <address>', "to speak from; default: the interface's own")
    .option('--address <cidr>', "the gateway's own on it; may be repeated", list)
    .option('--vrf <name>', 'routing table')
    .option('--mtu <bytes>', 'MTU; default 1500', whole(576, 9216))
    .addOption(mssClampOption())
    .addOption(sourceCheckOption())
    .action(async (vrouter: string, name: string, options: AddOptions, command: Command) => {
      const session = sessionOf(world, command);
      const { address, vlan, dryRun: _, ...rest } = options;
      if ((rest.device === undefined) === (rest.tap === undefined))
        throw new Failure('usage', 'a port needs one of --device and --tap');
      const request: CreatePortRequest = {
        name,
        ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
        ...(vlan === undefined ? {} : { vlanId: vlan }),
        ...(address === undefined ? {} : { addresses: [...address] }),
      };
      const reply = await session.controller().create(pathOf`/v1/vrouters/${vrouter}/ports`, request, createPortReply);
      session.show(reply, (data) => `added ${data.port.name}, version ${data.version}`);
    });

  noun
    .command('remove')
    .description('take the port and its addresses away')
    .argument('<vrouter>')
    .argument('<name>')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, name: string, { ifMatch }: IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/ports/${name}`;
      session.show(await session.controller().delete(path, deletedReply, ifMatch), (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('ports, and what the gateway says against them')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      await showPages(sessionOf(world, command), { ...listing, path: pathOf`/v1/vrouters/${vrouter}/ports` }, limit);
    });

  noun
    .command('show')
    .description('one port')
    .argument('<vrouter>')
    .argument('<name>')
    .action(async (vrouter: string, name: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/ports/${name}`;
      session.show(await session.controller().get(path, portReply), ({ port }) => rowText(port));
    });
}

const listing: Omit<Listing<'ports', Port>, 'path'> = {
  member: 'ports',
  schema: portList,
  heads: ['PORT', 'INTO', 'VRF', 'MTU', 'ADDRESSES', 'PROBLEM'],
  row: (row) => [row.name, intoText(row), row.vrf, row.mtu, row.addresses.join(', '), row.problem?.code ?? null],
  none: 'there are no ports; make one with: vrouterctl port add VROUTER NAME --device INTERFACE',
};

function rowText(row: Port): string {
  return pairs([
    ['port', row.name],
    ['vrouter', row.vrouter],
    ['into', intoText(row)],
    ['VRF', row.vrf],
    ['MTU', row.mtu],
    ['MAC address', row.mac],
    ['MSS clamp', row.mssClamp],
    ['source check', row.sourceCheck],
    ['addresses', row.addresses.join(', ')],
    ['problem', problemText(row.problem)],
    ['etag', row.etag ?? null],
  ]);
}

/** `eth1`, `eth1, VLAN 20`, `TAP lan0`. */
function intoText({ device, tap, vlanId }: Port): string {
  const link = device ?? `TAP ${tap}`;
  return vlanId === null ? link : `${link}, VLAN ${vlanId}`;
}
