/** `vrouterctl audit ...`: what was done at the controller and what was refused, and whether that is still as it was written. */
import { auditList, auditVerifyReply } from '@vrouter/api/rest/system.ts';
import { table } from '@vrouter/core/table.ts';
import { whenText } from '@vrouter/core/units.ts';
import { type Command, InvalidArgumentError } from 'commander';
import { whole } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';

interface Head {
  readonly id: string;
  readonly hash: string;
}

export function addAudit(program: Command, world: World): void {
  const noun = program
    .command('audit')
    .description('what was done at the controller and what was refused, by whom')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl audit list --last 20\n  vrouterctl audit verify                # note the ID:HASH that it prints, elsewhere\n  vrouterctl audit verify --noted 1204:5f0c...',
    );

  noun
    .command('list')
    .description('the last rows, latest first')
    .option('--last <n>', 'how many; 100 unless said', whole(1, 1000))
    .action(async ({ last = 100 }: { readonly last?: number }, command: Command) => {
      const session = sessionOf(world, command);
      session.show(
        await session.controller().get(pathOf`/v1/audit?last=${String(last)}`, auditList),
        ({ audit }, now) =>
          table(
            ['ID', 'WHEN', 'WHO', 'FROM', 'WHAT', 'OF', 'OUTCOME', 'WHY'],
            audit.map((row) => [
              row.id,
              whenText(row.atUnixMs, now),
              row.tokenId === null ? row.actor : `${row.actor} (${row.tokenId})`,
              row.source ?? '-',
              row.action,
              row.subject ?? '-',
              row.outcome,
              row.reason ?? '-',
            ]),
            'nothing was done yet',
          ),
      );
    });

  noun
    .command('verify')
    .description('walk the chain of hashes; ends with 1 and names the first row that is not as it was written')
    .option('--noted <id:hash>', 'a row that was noted earlier must still have that hash', readHead)
    .action(async ({ noted }: { readonly noted?: Head }, command: Command) => {
      const session = sessionOf(world, command);
      const path =
        noted === undefined ? '/v1/audit/verify' : pathOf`/v1/audit/verify?id=${noted.id}&hash=${noted.hash}`;
      const reply = await session.controller().get(path, auditVerifyReply);
      const { broken, rows } = reply.data;
      if (broken === null || session.json)
        session.show(reply, ({ head }) => `all ${rows} rows are as they were written, up to ${head.id}:${head.hash}`);
      if (broken !== null)
        throw new Failure('audit.broken', `row ${broken.id}: ${broken.reason}; ${rows} rows before it are good`);
    });
}

function readHead(text: string): Head {
  const match = /^([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text);
  if (match === null) throw new InvalidArgumentError('it looks like 1204:5f0c..., as verify printed it.');
  return { id: match[1]!, hash: match[2]! };
}
