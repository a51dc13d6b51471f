/** `vrouterctl versions`: what a virtual router's configuration was, and who changed it. */
import { type VersionRow, versionList } from '@vrouter/api/rest/versions.ts';
import { whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { type Limit, limitOption } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { sessionOf, type World } from '../session.ts';

export function addVersions(program: Command, world: World): void {
  program
    .command('versions')
    .description('the versions of a virtual router, newest first: when, by whom, and for what')
    .argument('<vrouter>')
    .addOption(limitOption())
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl versions edge-1 --limit 20\n  vrouterctl diff edge-1 --from 41 --to 42',
    )
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      const path = pathOf`/v1/vrouters/${vrouter}/versions`;
      await showPages(sessionOf(world, command), { ...listing, path }, limit);
    });
}

const listing: Omit<Listing<'versions', VersionRow>, 'path'> = {
  member: 'versions',
  schema: versionList,
  heads: ['VERSION', 'WHEN', 'WHO', 'TOKEN', 'WHAT', 'CHANGED'],
  row: ({ version, atUnixMs, actor, tokenId, action, changed }, nowUnixMs) => [
    version,
    whenText(atUnixMs, nowUnixMs),
    actor,
    tokenId,
    action,
    changed,
  ],
  none: 'no versions are kept',
};
