/** `vrouterctl floating-ip ...`: addresses of the gateway that stand for inside hosts as a whole. */
import {
  type CreateFloatingIpRequest,
  createFloatingIpReply,
  type FloatingIp,
  floatingIpList,
  floatingIpReply,
} from '@vrouter/api/rest/floating-ips.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { pairs } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, type Limit, limitOption } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { sessionOf, type World } from '../session.ts';
import { problemText } from '../text/problem.ts';

const help = `
IPv4 only. Sessions are seen on the gateway: vrouterctl show nat.

Examples:
  vrouterctl floating-ip add edge-1 mail 192.0.2.9 10.77.0.3
  vrouterctl floating-ip remove edge-1 mail`;

export function addFloatingIp(program: Command, world: World): void {
  const noun = program
    .command('floating-ip')
    .description('addresses of a virtual router that stand for inside hosts as a whole')
    .addHelpText('after', help);

  noun
    .command('add')
    .description('let an own address stand for an inside host, both ways')
    .argument('<vrouter>')
    .argument('<id>', 'what it is called')
    .argument('<address>', 'that the outside knows')
    .argument('<inside>', 'address of the inside host')
    .option('--vrf <name>', 'routing table of both')
    .action(
      async (
        vrouter: string,
        id: string,
        address: string,
        fixedAddress: string,
        { vrf }: { readonly vrf?: string },
        command: Command,
      ) => {
        const session = sessionOf(world, command);
        const request: CreateFloatingIpRequest = { id, address, fixedAddress, ...(vrf === undefined ? {} : { vrf }) };
        const path = pathOf`/v1/vrouters/${vrouter}/floating-ips`;
        const reply = await session.controller().create(path, request, createFloatingIpReply);
        session.show(
          reply,
          ({ floatingIp: row, version }) => `added ${row.address} for ${row.fixedAddress}, version ${version}`,
        );
      },
    );

  noun
    .command('remove')
    .description('let it stand for nobody; sessions end')
    .argument('<vrouter>')
    .argument('<id>')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, id: string, { ifMatch }: IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/floating-ips/${id}`;
      session.show(await session.controller().delete(path, deletedReply, ifMatch), (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('floating addresses, and what the gateway says against them')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      const path = pathOf`/v1/vrouters/${vrouter}/floating-ips`;
      await showPages(sessionOf(world, command), { ...listing, path }, limit);
    });

  noun
    .command('show')
    .description('one floating address')
    .argument('<vrouter>')
    .argument('<id>')
    .action(async (vrouter: string, id: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/floating-ips/${id}`;
      session.show(await session.controller().get(path, floatingIpReply), ({ floatingIp: row }) =>
        pairs([
          ['floating address', row.id],
          ['vrouter', row.vrouter],
          ['VRF', row.vrf],
          ['address', row.address],
          ['inside', row.fixedAddress],
          ['problem', problemText(row.problem)],
          ['etag', row.etag ?? null],
        ]),
      );
    });
}

const listing: Omit<Listing<'floatingIps', FloatingIp>, 'path'> = {
  member: 'floatingIps',
  schema: floatingIpList,
  heads: ['ID', 'VRF', 'ADDRESS', 'INSIDE', 'PROBLEM'],
  row: (row) => [row.id, row.vrf, row.address, row.fixedAddress, row.problem?.code ?? null],
  none: 'there are no floating addresses; make one with: vrouterctl floating-ip add VROUTER ID ADDRESS INSIDE',
};
