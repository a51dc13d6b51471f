/** `vrouterctl version`: of the controller; the command's own is `vrouterctl --version`, the daemon's `vrouterctl show version`. */
import { versionReply } from '@vrouter/api/rest/system.ts';
import { pairs } from '@vrouter/core/table.ts';
import { whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { sessionOf, type World } from '../session.ts';

export function addVersion(program: Command, world: World): void {
  program
    .command('version')
    .description('versions of this command and of the controller')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      // Said before the question: it is worth knowing when nobody answers, too.
      if (!session.json) world.out(`vrouterctl ${world.version}, node ${process.versions.node}`);
      session.show(await session.controller().get('/v1/version', versionReply), (data, now) =>
        pairs([
          ['controller', `${data.version}, started ${whenText(data.startedUnixMs, now)}`],
          ['controller id', data.controllerId],
          ['root fingerprint', data.rootFingerprint],
          ['gateways join at', data.agents],
        ]),
      );
    });
}
