/** `vrouterctl show ...`: what a gateway has and does, as vrouterd on this host tells it. */
import {
  controllerStatus,
  natReply,
  neighboursReply,
  type PlanReply,
  planReply,
  type StatsReply,
  type StatusReply,
  statsReply,
  statusReply,
} from '@vrouter/api/gateway/gateway.ts';
import { intentsReply } from '@vrouter/api/gateway/intents.ts';
import { type Cell, pairs, plain, table } from '@vrouter/core/table.ts';
import { spanText, whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { daemonVersion } from '../clients/acts.ts';
import type { Schema } from '../clients/reply.ts';
import { sessionOf, type World } from '../session.ts';
import { addressRows, controllerText, outlookRows } from './controller.ts';
import { intentsText } from './intents.ts';
import { interfacesReply, interfacesText } from './interfaces.ts';
import { natText } from './nat.ts';
import { neighboursText } from './neighbours.ts';
import { peersReply, peersText } from './peers.ts';
import { routesReply, routesText } from './routes.ts';

export function addShow(program: Command, world: World): void {
  const show = program
    .command('show')
    .description('what the gateway on this host has and does')
    .addHelpText('after', '\nExamples:\n  vrouterctl show peers\n  vrouterctl show stats --json | jq .drops');

  function view<T>(name: string, about: string, schema: Schema<T>, text: (data: T, nowUnixMs: number) => string): void {
    show
      .command(name)
      .description(about)
      .action(async (_options: unknown, command: Command) => {
        const session = sessionOf(world, command);
        session.show(await session.gateway().get(`/v1/${name}`, schema), text);
      });
  }
  view('interfaces', 'interfaces: addresses, state, traffic', interfacesReply, interfacesText);
  view('peers', 'WireGuard peers: where they are, when they were heard, traffic', peersReply, peersText);
  view('routes', 'routes, and the intent that asked for each', routesReply, routesText);
  view('nat', 'NAT rules and the sessions through them', natReply, natText);
  view('neighbours', 'Ethernet ports, and who is on their links', neighboursReply, neighboursText);
  view('intents', 'what is said on this host, by whom, and what is wrong with it', intentsReply, intentsText);
  view('stats', 'counters: drops by reason, packets by node, what keeps failing', statsReply, statsText);
  view('plan', 'what a reconcile would do now, and what is held back', planReply, planText);
  view(
    'controller',
    'the controller: how it stands with it, what to do, and every address',
    controllerStatus,
    controllerText,
  );
  view('status', 'the daemon: plane, engine, controller, versions', statusReply, statusText);
  view('version', 'versions of vrouterd and its Node', daemonVersion, (data) =>
    pairs([
      ['vrouterd', data.version],
      ['node', data.node],
      ['pid', data.pid],
    ]),
  );
}

function statsText(stats: StatsReply, _nowUnixMs: number): string {
  const named = (counts: { readonly [name: string]: number }): Cell[][] =>
    Object.entries(counts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => [name, count]);
  const parts = [
    pairs([
      ['epoch', stats.epoch],
      ['intents', stats.intents],
      ['objects', stats.objects],
      ['reconciles', stats.reconciles],
      ['last reconcile', stats.lastReconcileMs === null ? null : `${stats.lastReconcileMs.toFixed(1)} ms`],
      ['drift repaired', stats.driftRepaired],
      ['MSS lowered', stats.mssClamped],
      ['fragmented', stats.fragmented],
      ['reassembled', stats.reassembled],
    ]),
    table(['DROPPED BECAUSE', 'PACKETS'], named(stats.drops), 'nothing was dropped'),
    table(['ICMP ERRORS, SENT OR WHY NOT', 'PACKETS'], named(stats.icmpErrors), 'no ICMP error was called for'),
    table(['NODE', 'PACKETS'], named(stats.nodes), 'no node has handled a packet'),
  ];
  if (stats.failing.length > 0) {
    const rows = stats.failing.map((failing) => [failing.key, failing.code, failing.message]);
    parts.push(table(['FAILING', 'CODE', 'WHY'], rows, ''));
  }
  return parts.join('\n\n');
}

function planText(plan: PlanReply, _nowUnixMs: number): string {
  const rows = plan.steps.map((step) => [step.op, step.key, step.changed.join(', '), step.effect]);
  const steps = table(
    ['STEP', 'OBJECT', 'CHANGED', 'EFFECT ON TRAFFIC'],
    rows,
    'nothing to do: the plane is as it should be',
  );
  const { controller } = plan;
  // With a controller that is away the plan is right all the same, but not of what was changed there meanwhile.
  const unheard =
    controller === undefined || controller.stopped === null || controller.condition === 'held'
      ? ''
      : `\n\nthis does not know what the controller may have changed: ${plain(controller.summary)} (vrouterctl show controller)`;
  if (plan.held === null) return `${steps}${unheard}`;
  const { reason, removes, version } = plan.held;
  return `${steps}${unheard}\n\nheld: version ${version} would remove ${removes} (${plain(reason)})\nif that is right: vrouterctl plan confirm`;
}

/** How packets come in and who seals them, with a word where a slower way had to do. */
function machineRows(machine: NonNullable<StatusReply['engine']>['machine']): [string, Cell][] {
  if (machine === null) return [];
  const told = (name: string, slow: string, missing: string): string =>
    name === slow ? `${name} (slow: ${missing} was not to be had)` : name;
  return [
    ['  UDP', told(machine.udp, 'dgram', 'recvmmsg')],
    ['  cipher', told(machine.crypto, 'node-crypto', 'OpenSSL by its own functions')],
    ['  workers', machine.workers],
  ];
}

function statusText(status: StatusReply, nowUnixMs: number): string {
  const { controller, engine } = status;
  return pairs([
    ['name', status.name],
    ['gateway id', status.gatewayId],
    ['vrouterd', `${status.version}, pid ${status.pid}, started ${whenText(status.startedUnixMs, nowUnixMs)}`],
    ['plane', status.plane],
    ['engine', engine === null ? null : `pid ${engine.pid}, epoch ${engine.epoch}`],
    ...machineRows(engine?.machine ?? null),
    ['configuration', `version ${status.appliedVersion} applied, ${status.storedVersion} stored`],
    [
      'held back',
      status.held === null
        ? null
        : `version ${status.held.version}: ${status.held.reason}; vrouterctl plan confirm takes it`,
    ],
    ['controller', controller.url],
    ['  state', controller.state],
    ['  last poll', whenText(controller.lastPollUnixMs, nowUnixMs)],
    ['  last error', controller.lastError],
    [
      '  certificate',
      controller.certificateExpiresUnixMs === null
        ? null
        : `${isWorry(controller.certificateState) ? `${controller.certificateState}: ` : ''}${controller.certificateExpiresUnixMs > nowUnixMs ? 'ends' : 'ended'} ${whenText(controller.certificateExpiresUnixMs, nowUnixMs)}`,
    ],
    ['  clock', controller.clockOffsetMs === null ? null : clockText(controller.clockOffsetMs)],
    ...outlookRows(controller.outlook, nowUnixMs, '  '),
    ...addressRows(controller.addresses ?? [], nowUnixMs),
  ]);
}

function isWorry(state: StatusReply['controller']['certificateState']): boolean {
  return state === 'late' || state === 'critical' || state === 'ended';
}

/** The controller's clock minus this host's, ms. */
function clockText(offsetMs: number): string {
  if (Math.abs(offsetMs) < 3_600_000) return `${(offsetMs / 1000).toFixed(1)} s off`;
  return `${spanText(Math.abs(offsetMs))} ${offsetMs < 0 ? 'ahead of' : 'behind'} the controller's; set it (NTP)`;
}
