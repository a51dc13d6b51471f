/** `vrouterctl network name add, remove` and `network names`: whom the gateway of a network answers about. */
import { type IntentsReply, intentsReply } from '@vrouter/api/gateway/intents.ts';
import { type Cell, table } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { list } from '../arguments.ts';
import { sessionOf, type World } from '../session.ts';
import { addChange, changeGateway } from './change.ts';

export function addNames(noun: Command, world: World): void {
  const name = noun.command('name').description('names that the gateway of a network answers');

  addChange(name.command('add'))
    .description('answer a name with these addresses')
    .argument('<id>', 'the network')
    .argument('<name>', 'without the domain')
    .argument('<address...>', 'IPv4, IPv6 or both')
    .option('--alias <name>', 'another name of the same, several times for several', list)
    .action(
      async (
        network: string,
        text: string,
        addresses: string[],
        { alias = [] }: { readonly alias?: readonly string[] },
        command: Command,
      ) => {
        const intent = { kind: 'dnsName', network, name: text, addresses, aliases: alias };
        await changeGateway(
          world,
          command,
          { put: [intent], create: true },
          () => `${text} is ${addresses.join(', ')}`,
        );
      },
    );

  addChange(name.command('remove'))
    .description('answer a name, and its aliases, no more')
    .argument('<id>')
    .argument('<name>')
    .action(async (network: string, text: string, _options: unknown, command: Command) => {
      const change = { remove: [`dnsName/${network}/${text.toLowerCase()}`] };
      await changeGateway(world, command, change, () => `removed ${text}`);
    });

  noun
    .command('names')
    .description('names, of one network or of all')
    .argument('[id]')
    .action(async (network: string | undefined, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const path = `/v1/intents?kind=dnsName${network === undefined ? '' : `&network=${encodeURIComponent(network)}`}`;
      session.show(await session.gateway().get(path, intentsReply), namesText);
    });
}

interface Name {
  readonly network: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly aliases: readonly string[];
}

function namesText({ intents }: IntentsReply): string {
  const rows = intents.map(({ key, source, intent, problems }): Cell[] => {
    const said = intent as unknown as Name | null;
    const problem = problems[0]?.message ?? null;
    if (said === null) return [null, key, null, null, source, problem];
    return [said.network, said.name, said.addresses.join(', '), said.aliases.join(', '), source, problem];
  });
  return table(
    ['NETWORK', 'NAME', 'ADDRESSES', 'ALIASES', 'SAID BY', 'PROBLEM'],
    rows,
    'there are no names; add one with: vrouterctl network name add ID NAME ADDRESS',
  );
}
