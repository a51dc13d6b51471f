/** `vrouterctl published-port ...`: ports of the gateway that lead to inside hosts. */
import {
  type CreatePublishedPortRequest,
  createPublishedPortReply,
  type PublishedPort,
  publishedPortList,
  publishedPortReply,
} from '@vrouter/api/rest/nat.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { pairs } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, type Limit, limitOption, whole } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';
import { problemText } from '../text/problem.ts';

interface Where {
  readonly vrf: string;
  readonly hostAddress?: string;
}

interface AddOptions extends Where {
  readonly count?: number;
}

const DEFAULT_VRF = 'default';
const help = `
IPv4 only. Sessions are seen on the gateway: vrouterctl show nat.

Examples:
  vrouterctl published-port add edge-1 tcp/8443 10.77.0.2:443
  vrouterctl published-port add edge-1 udp/7000 10.77.0.3:7000 --count 100 --host-address 192.0.2.7
  vrouterctl published-port remove edge-1 tcp/8443`;

export function addPublishedPort(program: Command, world: World): void {
  const noun = program
    .command('published-port')
    .description('ports of a virtual router that lead to inside hosts')
    .addHelpText('after', help);
  const whereOf = (command: Command): Command =>
    command
      .option('--host-address <address>', 'of this own address alone; default: of every one')
      .option('--vrf <name>', 'routing table', DEFAULT_VRF);

  whereOf(noun.command('add'))
    .description('publish a port: let it lead to an inside host')
    .argument('<vrouter>')
    .argument('<port>', 'tcp/8443, udp/53')
    .argument('<to>', 'inside address and port, 10.77.0.2:443')
    .option('--count <number>', 'so many ports, from both on', whole(1, 65_535))
    .action(async (vrouter: string, port: string, to: string, options: AddOptions, command: Command) => {
      const session = sessionOf(world, command);
      const { protocol, hostPort } = portOf(port);
      const request: CreatePublishedPortRequest = {
        protocol,
        hostPort,
        ...insideOf(to),
        vrf: options.vrf,
        ...(options.hostAddress === undefined ? {} : { hostAddress: options.hostAddress }),
        ...(options.count === undefined ? {} : { count: options.count }),
      };
      const path = pathOf`/v1/vrouters/${vrouter}/published-ports`;
      const reply = await session.controller().create(path, request, createPublishedPortReply);
      session.show(reply, ({ publishedPort: row, version }) => {
        return `added ${outsideText(row)} to ${insideText(row)} in ${row.vrf}, version ${version}`;
      });
    });

  whereOf(noun.command('remove'))
    .description('publish it no more; sessions end')
    .argument('<vrouter>')
    .argument('<port>', 'tcp/8443: the first, of several')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, port: string, where: Where & IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().delete(onePath(vrouter, port, where), deletedReply, where.ifMatch);
      session.show(reply, (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('published ports, and what the gateway says against them')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      const path = pathOf`/v1/vrouters/${vrouter}/published-ports`;
      await showPages(sessionOf(world, command), { ...listing, path }, limit);
    });

  whereOf(noun.command('show'))
    .description('one published port')
    .argument('<vrouter>')
    .argument('<port>', 'tcp/8443: the first, of several')
    .action(async (vrouter: string, port: string, where: Where, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().get(onePath(vrouter, port, where), publishedPortReply);
      session.show(reply, ({ publishedPort: row }) =>
        pairs([
          ['port', outsideText(row)],
          ['vrouter', row.vrouter],
          ['VRF', row.vrf],
          ['host address', row.hostAddress ?? 'any'],
          ['to', insideText(row)],
          ['problem', problemText(row.problem)],
          ['etag', row.etag ?? null],
        ]),
      );
    });
}

const listing: Omit<Listing<'publishedPorts', PublishedPort>, 'path'> = {
  member: 'publishedPorts',
  schema: publishedPortList,
  heads: ['VRF', 'PORT', 'HOST ADDRESS', 'TO', 'PROBLEM'],
  row: (row) => [row.vrf, outsideText(row), row.hostAddress ?? 'any', insideText(row), row.problem?.code ?? null],
  none: 'there are no published ports; make one with: vrouterctl published-port add VROUTER tcp/PORT ADDRESS:PORT',
};

function onePath(vrouter: string, port: string, { vrf, hostAddress }: Where): string {
  const { protocol, hostPort } = portOf(port);
  return pathOf`/v1/vrouters/${vrouter}/published-ports/${vrf}/${hostAddress ?? '*'}/${protocol}/${String(hostPort)}`;
}

/** Failure `usage`. */
function portOf(text: string): { readonly protocol: 'tcp' | 'udp' | 'sctp'; readonly hostPort: number } {
  const [, protocol, digits] = /^(tcp|udp|sctp)\/(\d{1,5})$/.exec(text) ?? [];
  if (protocol === undefined) throw new Failure('usage', `"${text}" is no port to publish; write tcp/8443 or udp/53`);
  return { protocol: protocol as 'tcp' | 'udp' | 'sctp', hostPort: Number(digits) };
}

/** Failure `usage`; whether the address is one, the controller says. */
function insideOf(text: string): { readonly address: string; readonly port: number } {
  const [, address, digits] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (address === undefined)
    throw new Failure('usage', `"${text}" is no inside address with a port; write 10.77.0.2:443`);
  return { address, port: Number(digits) };
}

function outsideText({ protocol, hostPort, count }: PublishedPort): string {
  return `${protocol}/${hostPort}${count === 1 ? '' : `-${hostPort + count - 1}`}`;
}

function insideText({ address, port, count }: PublishedPort): string {
  return `${address}:${port}${count === 1 ? '' : `-${port + count - 1}`}`;
}
