/** A change of what is said on this host, or with `--dry-run` what it would do. */
import {
  type ChangePreview,
  type ChangeReply,
  changePreview,
  changeReply,
  type IntentChange,
} from '@vrouter/api/gateway/intents.ts';
import { table } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import type { DryRun } from '../dry-run/dry-run.ts';
import { stepsTable, verdictOf } from '../dry-run/text.ts';
import { Failure } from '../failure.ts';
import { type Session, sessionOf, type World } from '../session.ts';

/** Nobody is told before, as most changes take less, ms. */
const PATIENCE_MS = 2000;

/** Gives a command the option of all that change something. */
export function addChange(command: Command): Command {
  return command.option('--dry-run', 'change nothing: show what the gateway would do, and what that does to traffic');
}

export async function changeGateway(
  world: World,
  command: Command,
  change: IntentChange,
  text: (reply: ChangeReply) => string,
): Promise<void> {
  const session = sessionOf(world, command);
  if (command.optsWithGlobals<DryRun>().dryRun === true) {
    const path = '/v1/intents?dryRun=true';
    const preview = session.gateway().put(path, change, changePreview);
    session.show(await inWords(session, change, preview), changePreviewText);
    return;
  }
  const timer = setTimeout(() => {
    if (!session.json) world.note('waiting for the plane to make it so ...');
  }, PATIENCE_MS);
  try {
    session.show(await inWords(session, change, session.gateway().put('/v1/intents', change, changeReply)), text);
  } finally {
    clearTimeout(timer);
  }
}

/** Fields of intents by the options and arguments that say them. */
const options: { readonly [field: string]: string } = {
  id: 'ID',
  subnets: '--subnet',
  interface: '--bridge',
  parent: '--vlan',
  vlanId: '--vlan',
  mtu: '--mtu',
  domain: '--domain',
  dnsServers: '--dns-server',
  network: 'ID',
  name: 'NAME',
  addresses: 'ADDRESS',
  aliases: '--alias',
  hostAddress: 'HOST',
  hostPort: 'PORT',
  count: 'LAST',
  address: 'ADDRESS',
  port: 'PORT',
};

/** A refusal names, for people, what was written on the command line, not where that went in the request. */
async function inWords<T>({ json }: Session, change: IntentChange, reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (thrown) {
    if (json || !(thrown instanceof Failure) || thrown.field === undefined || thrown.raw !== undefined) throw thrown;
    const [, name = ''] = /^(?:put\[\d+\]\.?|remove\[\d+\])(\w*)/.exec(thrown.field) ?? [];
    const isVlan = change.put?.some((intent) => intent.attachment === 'vlan') === true;
    const option = name === 'interface' && isVlan ? '--vlan' : options[name];
    throw new Failure(thrown.code, thrown.message.replace('; force ', '; --force '), option);
  }
}

function changePreviewText({ put, removed, steps, effect }: ChangePreview): string {
  const rows = [...put.map(({ key }) => ['put', key]), ...removed.map((key) => ['remove', key])];
  const parts = ['nothing is changed yet', table(['CHANGE', 'INTENT'], rows, 'nothing new')];
  if (steps.length > 0) parts.push(stepsTable(steps));
  const count = (what: string): number => steps.filter((step) => step.effect === what).length;
  parts.push(
    verdictOf(effect, { steps: steps.length, rehandshake: count('rehandshake'), interrupt: count('interrupt') }),
  );
  return parts.join('\n\n');
}
