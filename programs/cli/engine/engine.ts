/** `vrouterctl engine stop`: ends the packet engine of this gateway. */
import type { Command } from 'commander';
import { doneReply } from '../clients/acts.ts';
import { sessionOf, type World } from '../session.ts';

export function addEngine(program: Command, world: World): void {
  const engine = program.command('engine').description('the packet engine of the gateway on this host');
  engine
    .command('stop')
    .description('end the engine; packets stop until vrouterd starts it again')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.gateway().post('/v1/engine/stop', doneReply);
      session.show({ ...reply, raw: reply.data }, () => 'stopped');
    });
}
