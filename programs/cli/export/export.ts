/** `vrouterctl export`: what the controller has of vrouters, as a file that `apply` takes and that then changes nothing. */
import type { Command } from 'commander';
import { readVrouter, vrouterNames } from '../apply/present.ts';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';
import { fileOf, fileText } from './file-text.ts';

export function addExport(program: Command, world: World): void {
  program
    .command('export')
    .description('print vrouters as a file for apply; preshared keys are left out, with a comment where')
    .argument('[vrouter...]', 'all of them when none is named')
    .addHelpText(
      'after',
      '\nWith --json the same as JSON, which apply takes too.\n\nExamples:\n  vrouterctl export > network.yaml\n  vrouterctl export edge-1 edge-2 | vrouterctl apply -f - --plan',
    )
    .action(async (named: readonly string[], _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const controller = session.controller();
      const names = named.length > 0 ? [...new Set(named)] : await vrouterNames(controller);
      const vrouters: { [name: string]: object } = {};
      for (const [i, name] of names.entries()) {
        const whole = await readVrouter(controller, name);
        if (whole === null) throw new Failure('vrouter.notFound', `there is no vrouter "${name}"`, 'vrouter');
        // A document each, as soon as it is read.
        if (session.json) vrouters[name] = fileOf(whole);
        else world.out(`${i === 0 ? '' : '---\n'}${fileText(whole).trimEnd()}`);
      }
      if (session.json) world.out(JSON.stringify({ vrouters }, null, 2));
      else if (names.length === 0) world.out('vrouters: {}');
    });
}
