/** `vrouterctl vrouter ...`: virtual routers on the controller. */

import { type CreateTokenRequest, createTokenReply, type Join } from '@vrouter/api/rest/join-tokens.ts';
import {
  type CreateVrouterRequest,
  confirmShrinkReply,
  createVrouterReply,
  deletedReply,
  revokeReply,
  type Vrouter,
  type VrouterStatus,
  vrouter,
  vrouterList,
} from '@vrouter/api/rest/vrouters.ts';
import { pairs, table } from '@vrouter/core/table.ts';
import { whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import {
  type IfMatch,
  ifMatchOption,
  type Limit,
  limitOption,
  list,
  type MssClamp,
  mssClampOption,
  type SourceCheck,
  sourceCheckOption,
  whole,
} from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { sessionOf, type World } from '../session.ts';
import { interfaceText } from './interface-text.ts';
import { addVrouterSet } from './set.ts';

interface CreateOptions {
  readonly network?: readonly string[];
  readonly listenPort?: number;
  readonly endpoint?: string;
  readonly mtu?: number;
  readonly vrf?: string;
  readonly mssClamp?: MssClamp;
  readonly sourceCheck?: SourceCheck;
}

interface TokenOptions {
  readonly ttl?: number;
  readonly uses?: number;
  readonly from?: string;
}

export function addVrouter(program: Command, world: World): void {
  const noun = program
    .command('vrouter')
    .description('virtual routers on the controller')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl vrouter create edge-1 --network 10.77.0.0/24 --endpoint vpn.example.org\n  vrouterctl vrouter set edge-1 --mtu 1380 --add-network 10.78.0.0/24\n  vrouterctl vrouter show edge-1',
    );

  noun
    .command('create')
    .description('make a virtual router; prints the join string for its gateway, once')
    .argument('<name>')
    .option('--network <cidr>', 'where gateway and peers get addresses from; may be repeated', list)
    .option(
      '--listen-port <port>',
      'UDP port of WireGuard on the gateway; default: the port of --endpoint, else 51820',
      whole(1, 65_535),
    )
    .option('--endpoint <host[:port]>', 'what peers connect to')
    .option('--mtu <bytes>', 'MTU of the WireGuard interface', whole(1280, 9216))
    .option('--vrf <name>', 'routing table of the WireGuard interface; made when it is not default')
    .addOption(mssClampOption())
    .addOption(sourceCheckOption())
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const session = sessionOf(world, command);
      const request: CreateVrouterRequest = {
        name,
        ...(options.network === undefined ? {} : { networks: [...options.network] }),
        ...(options.listenPort === undefined ? {} : { listenPort: options.listenPort }),
        ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
        ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
        ...(options.vrf === undefined ? {} : { vrf: options.vrf }),
        ...(options.mssClamp === undefined ? {} : { mssClamp: options.mssClamp }),
        ...(options.sourceCheck === undefined ? {} : { sourceCheck: options.sourceCheck }),
      };
      const reply = await session.controller().create('/v1/vrouters', request, createVrouterReply);
      session.show(reply, (made, now) => `${vrouterText(made.vrouter, now)}\n\n${joinText(made.join, now)}`);
    });

  noun
    .command('list')
    .description('all virtual routers')
    .addOption(limitOption())
    .action(async ({ limit }: Limit, command: Command) => {
      await showPages(sessionOf(world, command), listing, limit);
    });

  noun
    .command('show')
    .description('one virtual router and how its gateway is')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.controller().get(pathOf`/v1/vrouters/${name}`, vrouter), vrouterText);
    });

  addVrouterSet(noun, world);

  noun
    .command('delete')
    .description('remove a virtual router with its peers and routes; its gateway is shut out')
    .argument('<name>')
    .addOption(ifMatchOption())
    .action(async (name: string, { ifMatch }: IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().delete(pathOf`/v1/vrouters/${name}`, deletedReply, ifMatch);
      session.show(reply, (data) => `deleted ${data.deleted}`);
    });

  noun
    .command('token')
    .description('a new join string, for a new gateway')
    .argument('<name>')
    .option('--ttl <seconds>', 'how long it is good; an hour unless said', whole(60, 604_800))
    .option('--uses <times>', 'how many gateways may join with it, one in the place of the other', whole(1, 100))
    .option('--from <cidr>', 'only from there, as the controller sees the address of the gateway')
    .action(async (name: string, options: TokenOptions, command: Command) => {
      const session = sessionOf(world, command);
      const request: CreateTokenRequest = {
        ...(options.ttl === undefined ? {} : { ttlSeconds: options.ttl }),
        ...(options.uses === undefined ? {} : { uses: options.uses }),
        ...(options.from === undefined ? {} : { sourcePrefix: options.from }),
      };
      const reply = await session.controller().create(pathOf`/v1/vrouters/${name}/tokens`, request, createTokenReply);
      session.show(reply, (data, now) => joinText(data.join, now));
    });

  noun
    .command('revoke')
    .description(
      'shut the gateway out at once; it goes on forwarding with what it knows, and `token` lets another one join',
    )
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().post(pathOf`/v1/vrouters/${name}/revoke`, undefined, revokeReply);
      session.show(reply, (data) => `revoked gateway ${data.revoked}`);
    });

  noun
    .command('confirm')
    .description('let the gateway remove a large share of what it has, which it holds back otherwise')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${name}/confirm-shrink`;
      const reply = await session.controller().post(path, undefined, confirmShrinkReply);
      session.show(reply, (data) => `confirmed version ${data.version}`);
    });
}

const listing: Listing<'vrouters', Vrouter> = {
  path: '/v1/vrouters',
  member: 'vrouters',
  schema: vrouterList,
  heads: ['NAME', 'STATE', 'NETWORKS', 'ENDPOINT', 'PEERS', 'APPLIED', 'LAST POLL'],
  row: (row, nowUnixMs) => [
    row.name,
    stateOf(row),
    row.networks.join(', '),
    row.endpoint,
    row.peers,
    `${row.status.appliedVersion ?? '-'}/${row.status.version}`,
    whenText(row.status.lastPollUnixMs, nowUnixMs),
  ],
  none: 'there are no virtual routers; make one with: vrouterctl vrouter create NAME',
};

function stateOf(row: Vrouter): string {
  if (row.status.connected) return row.status.held === null ? 'connected' : 'holds back a change';
  return row.status.registered ? 'away' : 'waiting for a gateway';
}

/** None when no rotation waits for anybody. */
function rotatingRow(rotating: Vrouter['rotating']): (readonly [string, string])[] {
  const { waiting = 0, offered = 0, stragglers = 0 } = rotating ?? {};
  if (waiting + offered + stragglers === 0) return [];
  return [['new keys', `${offered} offered, ${waiting} waiting, ${stragglers} stragglers`]];
}

function vrouterText(row: Vrouter, nowUnixMs: number): string {
  const { status } = row;
  const facts = pairs([
    ['name', row.name],
    ['state', stateOf(row)],
    ['networks', row.networks.join(', ')],
    ['addresses', row.addresses.join(', ')],
    ['endpoint', row.endpoint],
    ['interface', interfaceText(row)],
    ['peers', row.peers],
    ...rotatingRow(row.rotating),
    ['public key', status.publicKey],
    ['configuration', `version ${status.appliedVersion ?? '-'} applied, ${status.version} wanted`],
    ['host', status.hostname],
    ['plane', status.plane],
    ['vrouterd', status.softwareVersion],
    ['last poll', whenText(status.lastPollUnixMs, nowUnixMs)],
    ['certificate', certificateText(status, nowUnixMs)],
    ['its key', status.keyMadeBy === 'controller' ? 'made by the controller, which has seen it' : null],
    ['created', whenText(row.createdUnixMs, nowUnixMs)],
    ['etag', row.etag ?? null],
  ]);
  const held =
    status.held === null
      ? ''
      : `\n\nheld back: ${status.held.reason} (version ${status.held.version}); vrouterctl vrouter confirm ${row.name} takes it`;
  if (status.errors.length === 0) return `${facts}${held}`;
  const rows = status.errors.map((error) => [error.key, error.code, error.message]);
  return `${facts}${held}\n\n${table(['FAILING', 'CODE', 'WHY'], rows, '')}`;
}

/** `late: ends in 2 h, must join anew in 7 d` */
function certificateText({ certificate, certificateExpiresUnixMs }: VrouterStatus, nowUnixMs: number): string | null {
  if (certificateExpiresUnixMs === null) return null;
  const verb = certificateExpiresUnixMs > nowUnixMs ? 'ends' : 'ended';
  const end = `${verb} ${whenText(certificateExpiresUnixMs, nowUnixMs)}`;
  if (certificate == null) return end;
  const { state, lockoutUnixMs } = certificate;
  const lockout =
    lockoutUnixMs > nowUnixMs
      ? `can be renewed until ${whenText(lockoutUnixMs, nowUnixMs)}`
      : `locked out since ${whenText(lockoutUnixMs, nowUnixMs)}; vrouterctl vrouter token lets it join anew`;
  return state === 'good' ? end : `${state}: ${end}, ${lockout}`;
}

function joinText(join: Join, nowUnixMs: number): string {
  return `join string (shown once, good until used or for ${whenText(join.expiresUnixMs, nowUnixMs).replace(/^in /, '')}):\n${join.string}`;
}
