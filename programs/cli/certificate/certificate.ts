/** `vrouterctl certificate renew`: another certificate for this gateway, without waiting for half of the present one's life. */
import type { Command } from 'commander';
import { doneReply } from '../clients/acts.ts';
import { sessionOf, type World } from '../session.ts';

export function addCertificate(program: Command, world: World): void {
  const certificate = program.command('certificate').description('what this gateway shows to its controller');
  certificate
    .command('renew')
    .description(
      'ask the controller for another certificate with the next poll; `show status` tells until when it is good',
    )
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.gateway().post('/v1/certificate/renew', doneReply);
      session.show({ ...reply, raw: reply.data }, () => 'it is asked for with the next poll');
    });
}
