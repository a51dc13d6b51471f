/** `vrouterctl vrf ...`: routing tables of a virtual router. `default` always exists. */
import { createVrfReply, vrfList } from '@vrouter/api/rest/routes.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { table } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { pathOf } from '../clients/controller.ts';
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
      const reply = await session.controller().post(pathOf`/v1/vrouters/${vrouter}/vrfs`, { name }, createVrfReply);
      session.show(reply, (data) => `added ${data.vrf.name}, version ${data.version}`);
    });

  noun
    .command('remove')
    .description('remove a routing table that nothing uses')
    .argument('<vrouter>')
    .argument('<name>')
    .action(async (vrouter: string, name: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().delete(pathOf`/v1/vrouters/${vrouter}/vrfs/${name}`, deletedReply);
      session.show(reply, (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('routing tables')
    .argument('<vrouter>')
    .action(async (vrouter: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().get(pathOf`/v1/vrouters/${vrouter}/vrfs`, vrfList);
      session.show(reply, (data) =>
        table(
          ['VRF'],
          data.vrfs.map((row) => [row.name]),
          'there are no routing tables',
        ),
      );
    });
}
