/** `vrouterctl engine stop|start`: ends the packet engine of this gateway, and starts it again. */
import type { Command } from 'commander';
import { doneReply } from '../clients/acts.ts';
import { sessionOf, type World } from '../session.ts';

export function addEngine(program: Command, world: World): void {
  const engine = program.command('engine').description('the packet engine of the gateway on this host');
  engine
    .command('stop')
    .description('end the engine; no packet passes until `engine start` or a restart of vrouterd')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.gateway().post('/v1/engine/stop', doneReply);
      session.show({ ...reply, raw: reply.data }, () => 'stopped');
    });
  engine
    .command('start')
    .description('start the engine after `engine stop`, and fill it')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.gateway().post('/v1/engine/start', doneReply);
      session.show({ ...reply, raw: reply.data }, () => 'started');
    });
}
