/** `vrouterctl watch`: what vrouterd does, as it does it, until interrupted. */

import { plain } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { sessionOf, type World } from '../session.ts';

export function addWatch(program: Command, world: World): void {
  program
    .command('watch')
    .description('events of the gateway on this host as they happen; with --json one object per line')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      for await (const { raw, data } of session.gateway().watch(world.untilInterrupted())) {
        if (session.json) world.out(JSON.stringify(raw));
        else world.out(`${new Date(data.atUnixMs).toISOString()}  ${data.type.padEnd(7)}  ${plain(data.text)}`);
      }
    });
}
