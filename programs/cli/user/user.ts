/** `vrouterctl user ...`: who may use the controller. */
import {
  type ChangeUserRequest,
  type Role,
  removedUserReply,
  roles,
  type User,
  userList,
  userReply,
} from '@vrouter/api/rest/identity.ts';
import { pairs } from '@vrouter/core/table.ts';
import { whenText } from '@vrouter/core/units.ts';
import { type Command, Option } from 'commander';
import { type Limit, limitOption } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';

export function roleOption(what: string): Option {
  return new Option('--role <role>', what).choices([...roles]);
}

interface ChangeOptions {
  readonly role?: Role;
  readonly disable?: boolean;
  readonly enable?: boolean;
}

export function addUser(program: Command, world: World): void {
  const noun = program
    .command('user')
    .description('users of the controller and their roles: viewer reads, operator changes vrouters, admin also users')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl user create kim --role operator\n  vrouterctl api-token create kim laptop --out kim.token\n  vrouterctl user change kim --disable',
    );

  noun
    .command('create')
    .description('make a user; it gets in with an API token')
    .argument('<name>')
    .addOption(roleOption('what its tokens may do at most; viewer unless said'))
    .action(async (name: string, { role }: ChangeOptions, command: Command) => {
      const session = sessionOf(world, command);
      const request = { name, ...(role === undefined ? {} : { role }) };
      const reply = await session.controller().create('/v1/users', request, userReply);
      session.show(
        reply,
        ({ user }) => `made ${user.name}, ${user.role}; give it a token: vrouterctl api-token create ${user.name} NAME`,
      );
    });

  noun
    .command('list')
    .description('all users')
    .addOption(limitOption())
    .action(async ({ limit }: Limit, command: Command) => {
      await showPages(sessionOf(world, command), listing, limit);
    });

  noun
    .command('show')
    .description('one user')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.controller().get(pathOf`/v1/users/${name}`, userReply), ({ user }, now) =>
        userText(user, now),
      );
    });

  noun
    .command('change')
    .description('another role, or shut out and let in again; its tokens follow at once')
    .argument('<name>')
    .addOption(roleOption('what its tokens may do at most'))
    .option('--disable', 'none of its tokens is good until it is enabled again')
    .option('--enable', 'its tokens are good again')
    .action(async (name: string, options: ChangeOptions, command: Command) => {
      const session = sessionOf(world, command);
      const { role, disable = false, enable = false } = options;
      if (disable && enable) throw new Failure('usage', 'one of --disable and --enable');
      const request: ChangeUserRequest = {
        ...(role === undefined ? {} : { role }),
        ...(disable || enable ? { disabled: disable } : {}),
      };
      if (Object.keys(request).length === 0)
        throw new Failure('usage', 'there is nothing to change; name --role, --disable or --enable');
      const reply = await session.controller().patch(pathOf`/v1/users/${name}`, request, userReply);
      session.show(reply, ({ user }, now) => userText(user, now));
    });

  noun
    .command('delete')
    .description('remove a user and its tokens; they stop at once')
    .argument('<name>')
    .option(
      '--forget',
      'also forget somebody who logs in at a provider; otherwise that one is kept out, and listed as disabled',
    )
    .action(async (name: string, { forget }: { readonly forget?: boolean }, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/users/${name}`;
      const reply = await session.controller().delete(forget === true ? `${path}?forget=true` : path, removedUserReply);
      session.show(reply, ({ deleted, shutOut }) =>
        shutOut
          ? `${deleted} is out and cannot log in; --enable lets it in again, delete --forget forgets it`
          : `deleted ${deleted}`,
      );
    });
}

const listing: Listing<'users', User> = {
  path: '/v1/users',
  member: 'users',
  schema: userList,
  heads: ['NAME', 'ROLE', 'FROM', 'TOKENS', 'STATE', 'CREATED'],
  row: (user, now) => [
    user.name,
    user.role,
    user.origin,
    user.apiTokens,
    stateOf(user, now),
    whenText(user.createdUnixMs, now),
  ],
  none: 'there are no users',
};

function stateOf(user: User, nowUnixMs: number): string {
  return user.disabledUnixMs === null ? 'enabled' : `disabled ${whenText(user.disabledUnixMs, nowUnixMs)}`;
}

/** Behind a name: the provider that it comes from; nothing of a local user. */
export function fromText(issuer: string | null): string {
  return issuer === null ? '' : `, from ${issuer}`;
}

function userText(user: User, nowUnixMs: number): string {
  return pairs([
    ['name', user.name],
    ['role', user.role],
    ['from', user.issuer ?? user.origin],
    ...(user.subject === null ? [] : [['subject', user.subject] as const]),
    ['state', stateOf(user, nowUnixMs)],
    ['good tokens', user.apiTokens],
    ['created', whenText(user.createdUnixMs, nowUnixMs)],
  ]);
}
