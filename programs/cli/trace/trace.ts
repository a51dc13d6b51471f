/** `vrouterctl trace`: packets on their way through the gateway on this host, until interrupted or a limit is reached. */
import type { Command } from 'commander';
import { sessionOf, type World } from '../session.ts';
import { addFilter, type FilterOptions, queryOf } from './filter.ts';
import { traceText } from './text.ts';

const examples = `
Options together mean "and". Without any, every packet is told.

Examples:
  vrouterctl trace --drops
  vrouterctl trace --peer phone --proto udp --port 53 --count 10`;

export function addTrace(program: Command, world: World): void {
  addFilter(program.command('trace'))
    .description(
      'packets on their way: the nodes visited, what each decided, why one is dropped; with --json a line each',
    )
    .addHelpText('after', examples)
    .action(async (options: FilterOptions, command: Command) => {
      const session = sessionOf(world, command);
      const begun = (): void => world.note('looking at packets; Ctrl-C ends');
      let lost = 0;
      for await (const { raw, data } of session.gateway().trace(queryOf(options), world.untilInterrupted(), begun)) {
        lost = data.lost;
        world.out(session.json ? JSON.stringify(raw) : traceText(data));
      }
      if (lost > 0) world.note(`${lost} packets more went by too fast to be told; narrow the filter`);
    });
}
