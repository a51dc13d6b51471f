/** `vrouterctl network ...`: networks of containers on this host, whose gateway is vrouterd. */
import type { IntentChange } from '@vrouter/api/gateway/intents.ts';
import { networkReply, networksReply } from '@vrouter/api/gateway/networks.ts';
import type { Command } from 'commander';
import { sessionOf, type World } from '../session.ts';
import { addChange, changeGateway } from './change.ts';
import { type CreateOptions, createOptions, networkOf } from './create.ts';
import { addNames } from './names.ts';
import { addPorts } from './ports.ts';
import { createdText, networksText, networkText } from './text.ts';

const help = `
Of the host that vrouterd runs on, with the Linux plane; no controller is needed. What is said here is stored, and is so again after a
restart. docs/networks.md begins with an empty host.

Examples:
  vrouterctl network create blue
  vrouterctl network create web --subnet 10.20.0.0/24 --subnet fd20::/64 --domain web.example
  vrouterctl network create lab --subnet 10.30.0.0/24,10.30.0.254 --vlan eth0:30 --internal
  vrouterctl network name add blue db 172.18.0.3 --alias database
  vrouterctl network publish blue 8080:172.18.0.2:80
  vrouterctl network delete blue --force --dry-run`;

export function addNetwork(program: Command, world: World): void {
  const noun = program.command('network').description('networks of containers on this host').addHelpText('after', help);

  addChange(createOptions(noun.command('create')))
    .description('make a network: its gateway, the way out, and who answers names')
    .argument('<id>', 'what it is called')
    .action(async (id: string, options: CreateOptions, command: Command) => {
      const change = { put: [networkOf(id, options)], create: true };
      await changeGateway(world, command, change, createdText);
    });

  noun
    .command('list')
    .description('networks of this host')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.gateway().get('/v1/networks', networksReply), networksText);
    });

  noun
    .command('show')
    .description('one network: link, subnets, names, ports, and what is wrong with it')
    .argument('<id>')
    .action(async (id: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.gateway().get(`/v1/networks/${encodeURIComponent(id)}`, networkReply), networkText);
    });

  addChange(noun.command('delete'))
    .description('remove a network; who is in it is cut off')
    .argument('<id>')
    .option('--force', 'with its names and published ports')
    .action(async (id: string, { force }: { readonly force?: boolean }, command: Command) => {
      const change: IntentChange = { remove: [`network/${id}`], force: force === true };
      await changeGateway(world, command, change, ({ removed }) => {
        const others = removed.length - 1;
        return `deleted ${id}${others === 0 ? '' : ` with ${others} ${others === 1 ? 'name or port' : 'names and ports'}`}`;
      });
    });

  addPorts(noun, world);
  addNames(noun, world);
}
