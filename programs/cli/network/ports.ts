/** `vrouterctl network publish, unpublish, ports`: ports of the host that lead to containers. */
import { type IntentsReply, intentsReply } from '@vrouter/api/gateway/intents.ts';
import { type NetworkPort, networkReply } from '@vrouter/api/gateway/networks.ts';
import { type Cell, table } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';
import { addChange, changeGateway } from './change.ts';
import { type Outside, parseOutside, parsePublished, rangeText, withPort } from './port-text.ts';

const VRF = 'default';

export function addPorts(noun: Command, world: World): void {
  addChange(noun.command('publish'))
    .description('let ports of the host lead to a container')
    .argument('<id>', 'the network that the container is in')
    .argument(
      '<port>',
      '[HOST:]PORT[-LAST]:ADDRESS:PORT[/tcp|udp|sctp], IPv6 in brackets; HOST: an address of the host, else all',
    )
    .option('--force', 'although a program of the host listens there; it hears nothing more')
    .action(async (network: string, text: string, { force }: { readonly force?: boolean }, command: Command) => {
      const { last: _, hostAddress, ...port } = parsePublished(text);
      const named = hostAddress === null || hostAddress === '*' ? {} : { hostAddress };
      const intent = { kind: 'publishedPort', network, ...port, ...named };
      await changeGateway(world, command, { put: [intent], create: true, force: force === true }, () => {
        const { protocol, hostPort, count, address, port: inside } = port;
        return `published ${protocol}/${rangeText(hostPort, count)} to ${withPort(address, inside, count)}`;
      });
    });

  addChange(noun.command('unpublish'))
    .description('publish ports no more; connections through them end')
    .argument('<id>')
    .argument('<port>', '[HOST:]PORT[/tcp|udp|sctp]: the first, of several')
    .action(async (network: string, text: string, _options: unknown, command: Command) => {
      const outside = parseOutside(text);
      const session = sessionOf(world, command);
      const path = `/v1/networks/${encodeURIComponent(network)}`;
      const { ports } = (await session.gateway().get(path, networkReply)).data.network;
      const meant = ports.filter((port) => isMeant(outside, port));
      if (meant.length === 0)
        throw new Failure(
          'intent.notFound',
          `${network} has no such port; vrouterctl network ports ${network} shows them`,
        );
      const remove = meant.map(
        ({ hostAddress, protocol, hostPort }) => `publishedPort/${VRF}/${hostAddress ?? '*'}/${protocol}/${hostPort}`,
      );
      await changeGateway(
        world,
        command,
        { remove },
        () =>
          `unpublished ${meant.map(({ protocol, hostPort, count }) => `${protocol}/${rangeText(hostPort, count)}`).join(', ')}`,
      );
    });

  noun
    .command('ports')
    .description('published ports, of one network or of all')
    .argument('[id]')
    .action(async (network: string | undefined, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const path = `/v1/intents?kind=publishedPort${network === undefined ? '' : `&network=${encodeURIComponent(network)}`}`;
      session.show(await session.gateway().get(path, intentsReply), portsText);
    });
}

function isMeant({ hostAddress, hostPort, last, protocol }: Outside, port: NetworkPort): boolean {
  const every = port.hostAddress === null ? ['*', '0.0.0.0'] : [port.hostAddress];
  return (
    port.hostPort === hostPort &&
    port.protocol === protocol &&
    (last === null || last - hostPort + 1 === port.count) &&
    (hostAddress === null || every.includes(hostAddress.toLowerCase()))
  );
}

function portsText({ intents }: IntentsReply): string {
  const rows = intents.map(({ key, source, intent, problems }): Cell[] => {
    const port = intent as unknown as (NetworkPort & { readonly network?: string }) | null;
    const problem = problems[0]?.message ?? null;
    if (port === null) return [null, key, null, null, source, problem];
    const { network = null, hostAddress, protocol, hostPort, count, address, port: inside } = port;
    return [
      network,
      `${protocol}/${rangeText(hostPort, count)}`,
      hostAddress ?? '0.0.0.0',
      withPort(address, inside, count),
      source,
      problem,
    ];
  });
  return table(
    ['NETWORK', 'PORT', 'HOST ADDRESS', 'TO', 'SAID BY', 'PROBLEM'],
    rows,
    'no port is published; publish one with: vrouterctl network publish ID 8080:ADDRESS:80',
  );
}
