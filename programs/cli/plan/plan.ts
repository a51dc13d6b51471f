/** `vrouterctl plan confirm`: lets go what the interlock holds back on this gateway. */
import type { Command } from 'commander';
import { doneReply } from '../clients/acts.ts';
import { sessionOf, type World } from '../session.ts';

export function addPlan(program: Command, world: World): void {
  const plan = program.command('plan').description('the plan of the gateway on this host (see also: show plan)');
  plan
    .command('confirm')
    .description('do what is held back because it removes a large share of what there is')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.gateway().post('/v1/plan/confirm', doneReply);
      session.show({ ...reply, raw: reply.data }, () => 'confirmed');
    });
}
