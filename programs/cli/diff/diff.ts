/** `vrouterctl diff`: what is other between two versions of a virtual router. */
import { PAGE_MAX } from '@vrouter/api/rest/paging.ts';
import { type DiffReply, diffReply } from '@vrouter/api/rest/versions.ts';
import { plain } from '@vrouter/core/table.ts';
import { type Command, InvalidArgumentError } from 'commander';
import { whole } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Session, sessionOf, type World } from '../session.ts';
import { changeLines, coloured } from './text.ts';

interface Options {
  readonly from?: number | 'applied';
  readonly to?: number;
}

const VERSION_MAX = 1e15 - 1;

const help = `
Lines begin with + for what is new, - for what is no more, ~ for an intent of which fields are other. On a terminal they are coloured,
unless NO_COLOR is set. Secrets show as the first digits of their fingerprints.

Examples:
  vrouterctl diff edge-1
  vrouterctl diff edge-1 --from 12 --to 15
  vrouterctl diff edge-1 --from applied`;

export function addDiff(program: Command, world: World): void {
  program
    .command('diff')
    .description('what is other between two versions of a virtual router; unless said, what the newest changed')
    .argument('<vrouter>')
    .option(
      '--from <version>',
      'begin with this one, 0 being nothing; `applied`: what the gateway has',
      versionOrApplied,
    )
    .option('--to <version>', 'end with this one; default: the newest', whole(0, VERSION_MAX))
    .addHelpText('after', help)
    .action(async (vrouter: string, options: Options, command: Command) => {
      const session = sessionOf(world, command);
      const { data, raw } = await allPages(session, vrouter, options);
      session.show({ data, raw }, (reply) => diffText(reply, colours(world)));
    });
}

function versionOrApplied(text: string): number | 'applied' {
  if (text === 'applied') return text;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('a version, or applied.');
  return Number(text);
}

/** All pages as one. From the second on both ends are named, since the newest may be another by then. */
async function allPages(
  session: Session,
  vrouter: string,
  options: Options,
): Promise<{ readonly data: DiffReply; readonly raw: unknown }> {
  const controller = session.controller();
  const path = pathOf`/v1/vrouters/${vrouter}/diff`;
  let { from, to }: Options = options;
  const changes: DiffReply['changes'] = [];
  for (let cursor: string | null = null; ; ) {
    const query = new URLSearchParams({ limit: String(PAGE_MAX) });
    if (from !== undefined) query.set('from', String(from));
    if (to !== undefined) query.set('to', String(to));
    if (cursor !== null) query.set('cursor', cursor);
    const { data } = await controller.get(`${path}?${query}`, diffReply);
    changes.push(...data.changes);
    ({ from, to } = data);
    cursor = data.next ?? null;
    if (cursor === null) {
      const all = { ...data, changes };
      return { data: all, raw: all };
    }
  }
}

function diffText({ vrouter, from, to, changes }: DiffReply, colour: (line: string) => string): string {
  const what =
    changes.length === 0 ? 'nothing is other' : `${changes.length} ${changes.length === 1 ? 'intent' : 'intents'}`;
  const head = `${plain(vrouter)}: version ${from} -> ${to}, ${what}`;
  return [head, ...changes.flatMap(changeLines).map(colour)].join('\n');
}

/** https://no-color.org */
function colours({ outIsTerminal, env }: World): (line: string) => string {
  const plainly = !outIsTerminal || (env.NO_COLOR ?? '') !== '';
  return plainly ? (line) => line : coloured;
}
