/** `vrouterctl network publish, unpublish, ports`: ports of the host that lead to containers. */
import { type IntentsReply, intentsReply } from '@vrouter/api/gateway/intents.ts';
import type { NetworkPort } from '@vrouter/api/gateway/networks.ts';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { type Cell, table } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';
import { addChange, changeGateway } from './change.ts';
import { type Outside, type Published, parseOutside, parsePublished, rangeText, withPort } from './port-text.ts';

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
    .argument(
      '<port>',
      '[HOST:]PORT[-LAST][:ADDRESS:PORT][/tcp|udp|sctp], as it was published; without HOST what was published without one',
    )
    .action(async (network: string, text: string, _options: unknown, command: Command) => {
      const outside = parseOutside(text);
      const session = sessionOf(world, command);
      // The ports, not the network: it may have gone without them.
      const path = `/v1/intents?kind=publishedPort&network=${encodeURIComponent(network)}`;
      const { intents } = (await session.gateway().get(path, intentsReply)).data;
      const ports = intents.flatMap(({ key, intent }) =>
        intent === null ? [] : [{ ...(intent as unknown as NetworkPort), key }],
      );
      const meant = ports.filter((port) => isMeant(outside, port));
      if (meant.length === 0) throw nothingThere(network, outside, ports);
      const remove = [...new Set(meant.map(({ key }) => key))];
      await changeGateway(world, command, { remove }, () => `unpublished ${meant.map(portText).join(', ')}`);
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

function isMeant(said: Outside | Published, port: NetworkPort): boolean {
  return isSameHostAddress(said.hostAddress, port.hostAddress) && isElseMeant(said, port);
}

/** Whatever the host's address. */
function isElseMeant(said: Outside | Published, port: NetworkPort): boolean {
  const { hostPort, last, protocol } = said;
  if (port.hostPort !== hostPort || port.protocol !== protocol) return false;
  if (last !== null && last - hostPort + 1 !== port.count) return false;
  if (!('address' in said)) return true;
  return port.count === said.count && port.port === said.port && port.address === canonical(said.address);
}

/** Nothing said: published without an address, in either family. */
function isSameHostAddress(said: string | null, is: string | null): boolean {
  if (said === null) return is === null || is === '::';
  return is === null ? said === '*' || said === '0.0.0.0' : is === canonical(said);
}

function canonical(address: string): string {
  const parsed = parseIp(address);
  return parsed.ok ? formatIp(parsed.value) : address;
}

function nothingThere(network: string, said: Outside | Published, ports: readonly NetworkPort[]): Failure {
  const elsewhere = ports.filter((port) => isElseMeant(said, port)).map(portText);
  const hint =
    elsewhere.length === 0
      ? `vrouterctl network ports ${network} shows them`
      : `${elsewhere.join(', ')} is: name the address of the host, too`;
  return new Failure('intent.notFound', `no such port of ${network} is published; ${hint}`);
}

/** `tcp/192.0.2.1:8080 to 172.18.0.2:80`. */
function portText({ hostAddress, protocol, hostPort, count, address, port }: NetworkPort): string {
  return `${protocol}/${withPort(hostAddress ?? '0.0.0.0', hostPort, count)} to ${withPort(address, port, count)}`;
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
