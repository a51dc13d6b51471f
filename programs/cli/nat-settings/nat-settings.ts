/** `vrouterctl nat-settings ...`: how many translations a virtual router may have, and how long an idle one lives. */
import {
  type ChangeNatSettingsRequest,
  changeNatSettingsReply,
  type NatSettings,
  natSettingsReply,
} from '@vrouter/api/rest/nat-settings.ts';
import { pairs } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, whole } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import type { DryRun } from '../dry-run/dry-run.ts';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';
import { problemText } from '../text/problem.ts';

const SESSIONS_MAX = 1_048_576;
const SECONDS_MAX = 604_800;

const help = `
Examples:
  vrouterctl nat-settings set edge-1 --sessions-per-host 1000 --udp-seconds 120
  vrouterctl nat-settings reset edge-1`;

export function addNatSettings(program: Command, world: World): void {
  const noun = program
    .command('nat-settings')
    .description('limits and lives of translations of a virtual router')
    .addHelpText('after', help);

  noun
    .command('set')
    .description('change some of them; the rest stays, and sessions go on')
    .argument('<vrouter>')
    .option('--sessions <number>', 'translations at a time, at most', whole(1, SESSIONS_MAX))
    .option('--sessions-per-host <number>', 'of them those of one inside host', whole(1, SESSIONS_MAX))
    .option('--udp-seconds <seconds>', 'UDP that both sides are heard of', whole(1, SECONDS_MAX))
    .option('--udp-one-way-seconds <seconds>', 'UDP that one side alone is heard of', whole(1, SECONDS_MAX))
    .option('--tcp-established-seconds <seconds>', 'TCP that is established', whole(1, SECONDS_MAX))
    .option('--tcp-transitory-seconds <seconds>', 'TCP that opens or closes', whole(1, SECONDS_MAX))
    .option('--icmp-seconds <seconds>', 'ICMP', whole(1, SECONDS_MAX))
    .addOption(ifMatchOption())
    .action(async (vrouter: string, options: ChangeNatSettingsRequest & IfMatch & DryRun, command: Command) => {
      const session = sessionOf(world, command);
      const { ifMatch, dryRun: _, ...fields } = options;
      const request: ChangeNatSettingsRequest = Object.fromEntries(
        Object.entries(fields).filter(([, value]) => value !== undefined),
      );
      if (Object.keys(request).length === 0)
        throw new Failure('usage', 'there is nothing to change; see vrouterctl nat-settings set --help');
      const path = pathOf`/v1/vrouters/${vrouter}/nat-settings`;
      const reply = await session.controller().patch(path, request, changeNatSettingsReply, ifMatch);
      session.show(reply, ({ natSettings, version }) => `${settingsText(natSettings)}\nversion ${version}`);
    });

  noun
    .command('reset')
    .description('the usual ones again')
    .argument('<vrouter>')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, { ifMatch }: IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/nat-settings`;
      const reply = await session.controller().delete(path, changeNatSettingsReply, ifMatch);
      session.show(reply, ({ natSettings, version }) => `${settingsText(natSettings)}\nversion ${version}`);
    });

  noun
    .command('show')
    .description('limits and lives as they are')
    .argument('<vrouter>')
    .action(async (vrouter: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/nat-settings`;
      session.show(await session.controller().get(path, natSettingsReply), (data) => settingsText(data.natSettings));
    });
}

function settingsText(row: NatSettings): string {
  return pairs([
    ['vrouter', row.vrouter],
    ['said', row.said ? 'yes' : 'no, these are the usual ones'],
    ['sessions', row.sessions],
    ['of one host', row.sessionsPerHost],
    ['UDP', `${row.udpSeconds} s, one way ${row.udpOneWaySeconds} s`],
    ['TCP', `${row.tcpEstablishedSeconds} s, opening or closing ${row.tcpTransitorySeconds} s`],
    ['ICMP', `${row.icmpSeconds} s`],
    ['problem', problemText(row.problem)],
    ['etag', row.etag ?? null],
  ]);
}
