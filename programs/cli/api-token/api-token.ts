/** `vrouterctl api-token ...`: what users show to the controller. */
import {
  type ApiToken,
  apiTokenList,
  apiTokenReply,
  type CreateApiTokenRequest,
  createApiTokenReply,
  goneReply,
  type Role,
} from '@vrouter/api/rest/identity.ts';
import { pairs } from '@vrouter/core/table.ts';
import { whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { type Limit, limitOption, whole } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { reserveSecretFile } from '../peer/secret-file.ts';
import { sessionOf, type World } from '../session.ts';
import { roleOption } from '../user/user.ts';

interface CreateOptions {
  readonly role?: Role;
  readonly ttl?: number;
  readonly out?: string;
}

export function addApiToken(program: Command, world: World): void {
  const noun = program
    .command('api-token')
    .description('API tokens of users; vrouterctl and everything else that asks the controller shows one')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl api-token create kim laptop --out kim.token\n  vrouterctl --token-file kim.token whoami\n  vrouterctl api-token revoke k3x9q2ab',
    );

  noun
    .command('create')
    .description('make a token; it is shown this once')
    .argument('<user>', 'whose it is to be')
    .argument('<name>', 'what it is for')
    .addOption(roleOption("what it may do at most; its user's role unless said"))
    .option('--ttl <seconds>', 'how long it is good; without it, until it is revoked', whole(60, 315_360_000))
    .option('--out <file>', 'write it to a new file of mode 0600 and do not show it')
    .action(async (user: string, name: string, options: CreateOptions, command: Command) => {
      const session = sessionOf(world, command);
      const request: CreateApiTokenRequest = {
        user,
        name,
        ...(options.role === undefined ? {} : { role: options.role }),
        ...(options.ttl === undefined ? {} : { ttlSeconds: options.ttl }),
      };
      const controller = session.controller();
      if (options.out === undefined) {
        const reply = await controller.post('/v1/api-tokens', request, createApiTokenReply);
        session.show(reply, (data) => `${lineOf(data.apiToken)}; the token, shown this once:\n${data.token}`);
        return;
      }
      const file = reserveSecretFile(options.out);
      const made = await controller.post('/v1/api-tokens', request, createApiTokenReply).catch((error: unknown) => {
        file.abandon();
        throw error;
      });
      const { apiToken, token } = made.data;
      file.write(`${token}\n`);
      session.show({ data: apiToken, raw: { apiToken } }, () => `${lineOf(apiToken)}; the token is in ${options.out}`);
    });

  noun
    .command('list')
    .description('all tokens and how they are, or those of one user')
    .option('--user <name>', 'only those of this user')
    .addOption(limitOption())
    .action(async ({ user, limit }: Limit & { readonly user?: string }, command: Command) => {
      const path = user === undefined ? '/v1/api-tokens' : pathOf`/v1/api-tokens?user=${user}`;
      await showPages(sessionOf(world, command), { ...listing, path }, limit);
    });

  noun
    .command('show')
    .description('one token and how it is')
    .argument('<id>')
    .action(async (id: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.controller().get(pathOf`/v1/api-tokens/${id}`, apiTokenReply), (data, now) =>
        tokenText(data.apiToken, now),
      );
    });

  noun
    .command('revoke')
    .description('a token is good no more, at once')
    .argument('<id>')
    .action(async (id: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().delete(pathOf`/v1/api-tokens/${id}`, goneReply);
      session.show(reply, ({ deleted }) => `revoked ${deleted}`);
    });
}

const listing: Omit<Listing<'apiTokens', ApiToken>, 'path'> = {
  member: 'apiTokens',
  schema: apiTokenList,
  heads: ['ID', 'USER', 'FROM', 'NAME', 'ROLE', 'STATE', 'LAST USED'],
  row: (token, now) => [
    token.id,
    token.user,
    token.origin,
    token.name,
    token.role,
    stateOf(token, now),
    whenText(token.lastUsedUnixMs, now),
  ],
  none: 'there are no tokens',
};

function lineOf({ id, user, name, role }: ApiToken): string {
  return `made ${name} of ${user}, ${role}, id ${id}`;
}

function stateOf({ expiresUnixMs, revokedUnixMs }: ApiToken, nowUnixMs: number): string {
  if (revokedUnixMs !== null) return `revoked ${whenText(revokedUnixMs, nowUnixMs)}`;
  if (expiresUnixMs === null) return 'good';
  return expiresUnixMs <= nowUnixMs
    ? `ended ${whenText(expiresUnixMs, nowUnixMs)}`
    : `ends ${whenText(expiresUnixMs, nowUnixMs)}`;
}

export function tokenText(token: ApiToken, nowUnixMs: number): string {
  return pairs([
    ['token', `${token.id}, ${token.name}`],
    ['user', token.origin === 'local' ? token.user : `${token.user}, who has logged in`],
    ['role', token.role],
    ['state', stateOf(token, nowUnixMs)],
    ['created', whenText(token.createdUnixMs, nowUnixMs)],
    ['last used', whenText(token.lastUsedUnixMs, nowUnixMs)],
  ]);
}
