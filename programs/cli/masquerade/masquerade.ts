/** `vrouterctl masquerade ...`: sources that leave under another address. */
import {
  type CreateMasqueradeRequest,
  createMasqueradeReply,
  type Masquerade,
  masqueradeList,
  masqueradeReply,
} from '@vrouter/api/rest/nat.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { pairs } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, type Limit, limitOption, list } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { sessionOf, type World } from '../session.ts';
import { problemText } from '../text/problem.ts';

interface AddOptions {
  readonly vrf?: string;
  readonly leaving?: readonly string[];
  readonly address?: readonly string[];
}

interface RemoveOptions extends IfMatch {
  readonly vrf: string;
}

const DEFAULT_VRF = 'default';
const help = `
IPv4 only. Sessions are seen on the gateway: vrouterctl show nat.

Examples:
  vrouterctl masquerade add edge-1 10.77.0.0/24
  vrouterctl masquerade add edge-1 10.77.0.0/24 --leaving wg0 --address 192.0.2.7`;

export function addMasquerade(program: Command, world: World): void {
  const noun = program
    .command('masquerade')
    .description('sources that leave a virtual router under another address')
    .addHelpText('after', help);

  noun
    .command('add')
    .description('let sources of a prefix leave under another address')
    .argument('<vrouter>')
    .argument('<prefix>')
    .option('--leaving <interface>', 'only by this way out; may be repeated; default: any but the way in', list)
    .option('--address <address>', 'under this one; may be repeated; default: that of the way out', list)
    .option('--vrf <name>', 'routing table of the sources')
    .action(async (vrouter: string, prefix: string, options: AddOptions, command: Command) => {
      const session = sessionOf(world, command);
      const request: CreateMasqueradeRequest = {
        prefix,
        ...(options.vrf === undefined ? {} : { vrf: options.vrf }),
        ...(options.leaving === undefined ? {} : { leaving: [...options.leaving] }),
        ...(options.address === undefined ? {} : { addresses: [...options.address] }),
      };
      const path = pathOf`/v1/vrouters/${vrouter}/masquerades`;
      const reply = await session.controller().create(path, request, createMasqueradeReply);
      session.show(
        reply,
        ({ masquerade, version }) => `added ${masquerade.prefix} in ${masquerade.vrf}, version ${version}`,
      );
    });

  noun
    .command('remove')
    .description('let them leave as they are; sessions end')
    .argument('<vrouter>')
    .argument('<prefix>')
    .option('--vrf <name>', 'routing table', DEFAULT_VRF)
    .addOption(ifMatchOption())
    .action(async (vrouter: string, prefix: string, { vrf, ifMatch }: RemoveOptions, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/masquerades/${vrf}/${prefix}`;
      session.show(await session.controller().delete(path, deletedReply, ifMatch), (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('masquerades, and what the gateway says against them')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      await showPages(
        sessionOf(world, command),
        { ...listing, path: pathOf`/v1/vrouters/${vrouter}/masquerades` },
        limit,
      );
    });

  noun
    .command('show')
    .description('one masquerade')
    .argument('<vrouter>')
    .argument('<prefix>')
    .option('--vrf <name>', 'routing table', DEFAULT_VRF)
    .action(async (vrouter: string, prefix: string, { vrf }: { readonly vrf: string }, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/masquerades/${vrf}/${prefix}`;
      session.show(await session.controller().get(path, masqueradeReply), ({ masquerade: row }) => {
        const [leaving, addresses] = waysOf(row);
        return pairs([
          ['prefix', row.prefix],
          ['vrouter', row.vrouter],
          ['VRF', row.vrf],
          ['leaving', leaving],
          ['addresses', addresses],
          ['problem', problemText(row.problem)],
          ['etag', row.etag ?? null],
        ]);
      });
    });
}

const listing: Omit<Listing<'masquerades', Masquerade>, 'path'> = {
  member: 'masquerades',
  schema: masqueradeList,
  heads: ['VRF', 'PREFIX', 'LEAVING', 'ADDRESSES', 'PROBLEM'],
  row: (row) => [row.vrf, row.prefix, ...waysOf(row), row.problem?.code ?? null],
  none: 'there are no masquerades; make one with: vrouterctl masquerade add VROUTER PREFIX',
};

function waysOf({ leaving, addresses }: Masquerade): readonly [string, string] {
  return [leaving?.join(', ') ?? 'any', addresses?.join(', ') ?? 'of the way out'];
}
