/** `vrouterctl join-token ...`: which join strings of a virtual router there are, and taking one back. `vrouter token` makes one. */
import { type JoinToken, joinTokenList } from '@vrouter/api/rest/join-tokens.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, type Limit, limitOption } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { sessionOf, type World } from '../session.ts';

export function addJoinToken(program: Command, world: World): void {
  const noun = program
    .command('join-token')
    .description('join strings of virtual routers: which there are, by whom, how they are; `vrouter token` makes one')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl vrouter token edge-1 --ttl 86400 --from 192.0.2.0/24\n  vrouterctl join-token list edge-1\n  vrouterctl join-token revoke edge-1 k3x9q2ab',
    );

  noun
    .command('list')
    .description('all of a virtual router; those that ended are there for a day')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      await showPages(sessionOf(world, command), listing(vrouter), limit);
    });

  noun
    .command('revoke')
    .description('nobody joins with it any more; a gateway that has stays')
    .argument('<vrouter>')
    .argument('<id>', 'the middle part of vrj_ID_..., as list shows it')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, id: string, { ifMatch }: IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/tokens/${id}`;
      const reply = await session.controller().delete(path, deletedReply, ifMatch);
      session.show(reply, ({ deleted }) => `revoked ${deleted}`);
    });
}

function listing(vrouter: string): Listing<'tokens', JoinToken> {
  return {
    path: pathOf`/v1/vrouters/${vrouter}/tokens`,
    member: 'tokens',
    schema: joinTokenList,
    heads: ['ID', 'STATE', 'USES LEFT', 'FROM', 'BY', 'MADE'],
    row: (token, nowUnixMs) => [
      token.id,
      stateText(token, nowUnixMs),
      `${token.usesLeft}/${token.uses}`,
      token.sourcePrefix ?? 'anywhere',
      token.creator || null,
      whenText(token.createdUnixMs, nowUnixMs),
    ],
    none: `${vrouter} has no join strings; make one with: vrouterctl vrouter token ${vrouter}`,
  };
}

function stateText({ state, expiresUnixMs, revokedUnixMs }: JoinToken, nowUnixMs: number): string {
  switch (state) {
    case 'good':
      return `good, ends ${whenText(expiresUnixMs, nowUnixMs)}`;
    case 'expired':
      return `ended ${whenText(expiresUnixMs, nowUnixMs)}`;
    case 'revoked':
      return `revoked ${whenText(revokedUnixMs, nowUnixMs)}`;
    case 'used':
      return state;
  }
}
