/** `vrouterctl whoami`: whose token we show, and what it may do. */
import { whoamiReply } from '@vrouter/api/rest/identity.ts';
import type { Command } from 'commander';
import { tokenText } from '../api-token/api-token.ts';
import { sessionOf, type World } from '../session.ts';
import { fromText } from '../user/user.ts';

export function addWhoami(program: Command, world: World): void {
  program
    .command('whoami')
    .description('whose API token this command shows to the controller, and what it may do')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(
        await session.controller().get('/v1/whoami', whoamiReply),
        (data, now) => `${data.user}, ${data.role}${fromText(data.issuer)}\n\n${tokenText(data.apiToken, now)}`,
      );
    });
}
