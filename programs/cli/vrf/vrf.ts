/** `vrouterctl vrf ...`: routing tables of a virtual router. `default` always exists. */
import { createVrfReply, type Vrf, vrfList } from '@vrouter/api/rest/routes.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, type Limit, limitOption } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { sessionOf, type World } from '../session.ts';

export function addVrf(program: Command, world: World): void {
  const noun = program.command('vrf').description('routing tables of a virtual router');

  noun
    .command('add')
    .description('make a routing table')
    .argument('<vrouter>')
    .argument('<name>')
    .action(async (vrouter: string, name: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().create(pathOf`/v1/vrouters/${vrouter}/vrfs`, { name }, createVrfReply);
      session.show(reply, (data) => `added ${data.vrf.name}, version ${data.version}`);
    });

  noun
    .command('remove')
    .description('remove a routing table that nothing uses')
    .argument('<vrouter>')
    .argument('<name>')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, name: string, { ifMatch }: IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/vrfs/${name}`;
      const reply = await session.controller().delete(path, deletedReply, ifMatch);
      session.show(reply, (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('routing tables')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      await showPages(sessionOf(world, command), { ...listing, path: pathOf`/v1/vrouters/${vrouter}/vrfs` }, limit);
    });
}

const listing: Omit<Listing<'vrfs', Vrf>, 'path'> = {
  member: 'vrfs',
  schema: vrfList,
  heads: ['VRF'],
  row: ({ name }) => [name],
  none: 'there are no routing tables',
};
