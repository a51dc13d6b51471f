/** `vrouterctl apply`: makes the controller's vrouters what files say of them, once somebody has seen what that changes. */
import type { Command } from 'commander';
import type { Controller } from '../clients/controller.ts';
import { Failure, Verdict } from '../failure.ts';
import { type Session, sessionOf, type World } from '../session.ts';
import { compare, type Plan } from './compare.ts';
import { readNamed } from './files.ts';
import { FileFailure } from './mistakes.ts';
import { readVrouter } from './present.ts';
import { readSources } from './read.ts';
import { failureText, type Outcome, type Run, run } from './run.ts';
import { doneText, heldTexts, planJson, planText, runJson } from './text.ts';
import { type Present, titleOf, type Wanted, type Whole } from './things.ts';

interface ApplyOptions {
  readonly file: readonly string[];
  readonly prune?: boolean;
  readonly yes?: boolean;
  readonly plan?: boolean;
  readonly dryRun?: boolean;
  readonly exitCode?: boolean;
}

/** Exit status of `--plan --exit-code` when there are changes. */
const CHANGES = 3;
/** Vrouters that are read at a time. */
const READ_AT_A_TIME = 4;
/** How often a long run is told of, ms. */
const TELL_MS = 2000;

const help = `
A file has names as keys, and below them the words of the REST API (the controller's /docs):

  vrouters:
    edge-1:
      endpoint: vpn.example.org
      networks: [10.77.0.0/24]
      peers:
        office: { publicKey: xTIB..., allowedIps: [192.168.5.0/24] }
      routes:
        - { prefix: 203.0.113.0/24, blackhole: true }

Also vrfs, hostInterfaces, ports, floatingIps (by name), masquerades, publishedPorts (lists) and natSettings. Of a vrouter itself and its
natSettings what is left out stays as it is; of everything else it has the default of REST. A preshared key that is left out stays.

Examples:
  vrouterctl export edge-1 > edge-1.yaml
  vrouterctl apply -f edge-1.yaml --plan
  vrouterctl apply -f edge-1.yaml
  vrouterctl apply -f network/ --prune --yes
  vrouterctl apply -f - --plan --exit-code --json < edge-1.yaml

Exit status: 0 it is as the files say, 1 something could not be done, 2 wrong usage or a mistake in a file;
with --plan --exit-code 3 when there are changes.`;

export function addApply(program: Command, world: World): void {
  program
    .command('apply')
    .description('make vrouters what a file says: shows what would change, asks, and does it')
    .requiredOption('-f, --file <path>', 'YAML file, folder of such, or - for standard input; may be repeated', collect)
    .option('--prune', 'delete what the vrouters of the files have and no file says; never a vrouter itself')
    .option('--yes', 'do not ask')
    .option('--plan', 'only show what would change')
    .option('--dry-run', 'the same as --plan')
    .option('--exit-code', 'with --plan: end with status 3 when there are changes')
    .addHelpText('after', help)
    .action(async (options: ApplyOptions, command: Command) => {
      await apply(sessionOf(world, command), options);
    });
}

function collect(path: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), path];
}

async function apply(session: Session, options: ApplyOptions): Promise<void> {
  const { world } = session;
  const showOnly = options.plan === true || options.dryRun === true;
  if (options.exitCode === true && !showOnly) throw new Failure('usage', '--exit-code is for --plan', '--exit-code');
  if (!showOnly && options.yes !== true && (!world.inIsTerminal || options.file.includes('-')))
    throw new Failure(
      'usage',
      'there is nobody to ask on standard input: say --yes to do it, or --plan to only look',
      '--yes',
    );
  const { vrouters, mistakes } = readSources(await readNamed(options.file, world));
  if (mistakes.length > 0) throw new FileFailure(mistakes);
  if (vrouters.length === 0) throw new Failure('config.invalid', 'there is no vrouter in what was given', '--file');

  const controller = session.controller();
  const plan = compare(vrouters, await readPresent(controller, vrouters), options.prune === true);
  const todo = plan.steps.filter(({ action }) => action !== 'refuse');
  if (showOnly || !session.json) world.out(session.json ? JSON.stringify(planJson(plan), null, 2) : planText(plan));
  if (showOnly) {
    refuseIncomplete(plan, []);
    if (options.exitCode === true && todo.length > 0) throw new Verdict(CHANGES);
    return;
  }
  if (todo.length > 0 && options.yes !== true) {
    if (session.json) world.note(planText(plan));
    if (!/^y(es)?$/i.test((await world.ask('Apply these changes? [y/N] ')).trim())) {
      world.note('nothing was changed');
      throw new Verdict(1);
    }
  }
  const done: Run =
    todo.length === 0 ? { outcomes: [], ended: null, interrupted: false } : await runWith(session, controller, plan);
  report(session, plan, done);
}

/** By name; those that there are not are left out. */
async function readPresent(
  controller: Controller,
  vrouters: readonly Whole<Wanted>[],
): Promise<Map<string, Whole<Present>>> {
  const found = new Map<string, Whole<Present>>();
  const waiting = vrouters.values();
  const worker = async (): Promise<void> => {
    for (const { name } of waiting) {
      const whole = await readVrouter(controller, name);
      if (whole !== null) found.set(name, whole);
    }
  };
  await Promise.all(Array.from({ length: READ_AT_A_TIME }, worker));
  return found;
}

function runWith(session: Session, controller: Controller, plan: Plan): Promise<Run> {
  const { world } = session;
  let toldAt = world.nowUnixMs();
  return run(plan.steps, {
    controller,
    signal: world.untilInterrupted(),
    progress(writes, of, failed) {
      const now = world.nowUnixMs();
      if (now - toldAt < TELL_MS) return;
      toldAt = now;
      world.note(`${writes} of ${of} calls made${failed === 0 ? '' : `, ${failed} refused`}`);
    },
  });
}

function report(session: Session, plan: Plan, { outcomes, ended, interrupted }: Run): void {
  const { world, json } = session;
  if (json) world.out(JSON.stringify(runJson(plan, outcomes), null, 2));
  else {
    const done = doneText(outcomes);
    if (done !== null) world.out(done);
    // What ended the run is told once, at its end.
    for (const outcome of outcomes)
      if (outcome.failure !== null && (outcome.failure.code !== ended?.code || outcome.step.action === 'replace'))
        world.note(failureText(outcome));
    for (const { step, state } of outcomes)
      if (state === 'done' && step.kind === 'vrouter' && step.action === 'create')
        world.out(`${step.id} waits for a gateway; make a join string for one: vrouterctl vrouter token ${step.id}`);
  }
  for (const text of heldTexts(outcomes)) world.note(text);
  const left = outcomes.filter(({ state }) => state !== 'done').length;
  const words = `${left} of ${outcomes.length} changes were not made; run it again and it goes on`;
  for (const { step } of outcomes.filter(({ state }) => state === 'removed'))
    world.note(`${titleOf(step)} of ${step.vrouter} was removed and not made anew yet`);
  if (ended !== null) throw new Failure(ended.code, `${ended.message}; ${words}`, ended.field);
  if (interrupted) {
    world.note(`interrupted: ${words}`);
    throw new Verdict(1);
  }
  refuseIncomplete(plan, outcomes);
}

/** Ends with a failure when something was refused, by the plan or by the controller. */
function refuseIncomplete(plan: Plan, outcomes: readonly Outcome[]): void {
  const refused = plan.steps.filter(({ action }) => action === 'refuse');
  const failed = outcomes.filter(({ state }) => state === 'failed');
  const waiting = outcomes.filter(({ state }) => state === 'notTried').length;
  const first = failed[0]?.failure?.code ?? refused[0]?.problem?.code;
  if (first === undefined) return;
  const parts = [
    ...(failed.length > 0 ? [`${failed.length} of ${outcomes.length} changes failed`] : []),
    ...(waiting > 0 ? [`${waiting} were not tried, since they need one of those`] : []),
    ...(refused.length > 0 ? [`${refused.length} cannot be had as the file says`] : []),
  ];
  throw new Incomplete(first, `${parts.join(', ')}; correct the file and run it again, the rest is kept`);
}

/** Status 1 whatever the code: the usage was right. */
class Incomplete extends Failure {
  override get exitStatus(): 1 | 2 {
    return 1;
  }
}
