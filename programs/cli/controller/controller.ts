/** `vrouterctl controller ...`: the controllers that share a store, and where gateways find them. */
import { controllerGoneReply, controllerList } from '@vrouter/api/rest/controllers.ts';
import { plain, table } from '@vrouter/core/table.ts';
import { whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { pathOf } from '../clients/controller.ts';
import { sessionOf, type World } from '../session.ts';

export function addController(program: Command, world: World): void {
  const noun = program
    .command('controller')
    .description('the controllers that share a store, and where gateways find them')
    .addHelpText('after', '\nExamples:\n  vrouterctl controller list\n  vrouterctl controller remove 5f0c77ab');

  noun
    .command('list')
    .description('all of them: addresses, whether they run, when they leave the list')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.controller().get('/v1/controllers', controllerList), ({ controllers }, now) =>
        table(
          ['ID', 'HOST', 'STATE', 'ADDRESSES', 'STARTED', 'SEEN', 'LEAVES THE LIST', 'VERSION'],
          controllers.map((one) => [
            one.self ? `${one.id} (this one)` : one.id,
            one.host,
            one.state,
            one.urls.join(', '),
            whenText(one.startedUnixMs, now),
            whenText(one.seenUnixMs, now),
            one.leavesUnixMs === null ? null : whenText(one.leavesUnixMs, now),
            one.version,
          ]),
          'there are no controllers',
        ),
      );
    });

  noun
    .command('remove')
    .description('take one that does not run out of the list; gateways are told without it at their next poll')
    .argument('<id>')
    .action(async (id: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().delete(pathOf`/v1/controllers/${id}`, controllerGoneReply);
      session.show(reply, ({ removed }) => `removed ${plain(removed.id)} (${removed.urls.map(plain).join(', ')})`);
    });
}
