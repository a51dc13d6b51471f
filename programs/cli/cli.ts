/** The whole command line: options, verbs, and how a failure ends it. */
import { Command, CommanderError } from 'commander';
import { addApiToken } from './api-token/api-token.ts';
import { addApply } from './apply/apply.ts';
import { addAudit } from './audit/audit.ts';
import { addCa } from './ca/ca.ts';
import { addCapture } from './capture/capture.ts';
import { addCertificate } from './certificate/certificate.ts';
import { DEFAULT_CONTROLLER } from './clients/controller.ts';
import { addCompletion } from './completion/completion.ts';
import { addController } from './controller/controller.ts';
import { addDiff } from './diff/diff.ts';
import { addDryRun, Looked } from './dry-run/dry-run.ts';
import { addEngine } from './engine/engine.ts';
import { addExport } from './export/export.ts';
import { Failure, Verdict } from './failure.ts';
import { addFloatingIp } from './floating-ip/floating-ip.ts';
import { addHistory } from './history/history.ts';
import { addHostInterface } from './host-interface/host-interface.ts';
import { addJoinToken } from './join-token/join-token.ts';
import { addLogin, addLogout } from './login/login.ts';
import { addMasquerade } from './masquerade/masquerade.ts';
import { addNatSettings } from './nat-settings/nat-settings.ts';
import { addNetwork } from './network/network.ts';
import { addPeer } from './peer/peer.ts';
import { addPlan } from './plan/plan.ts';
import { addPort } from './port/port.ts';
import { addPublishedPort } from './published-port/published-port.ts';
import { addRotation } from './rotation/rotation.ts';
import { addRoute } from './route/route.ts';
import type { World } from './session.ts';
import { addShow } from './show/show.ts';
import { addTrace } from './trace/trace.ts';
import { addUser } from './user/user.ts';
import { addVersion } from './version/version.ts';
import { addVersions } from './versions/versions.ts';
import { addVrf } from './vrf/vrf.ts';
import { addVrouter } from './vrouter/vrouter.ts';
import { addWatch } from './watch/watch.ts';
import { addWhoami } from './whoami/whoami.ts';

const examples = `
The gateway on this host (vrouterd, over its unix socket): show, watch, trace, capture, plan, engine, certificate,
network.
The controller (over REST): vrouter, join-token, peer, rotation, route, vrf, host-interface, port, masquerade, published-port, floating-ip,
nat-settings, apply, export, versions, diff, login, logout, user, api-token, whoami, audit, ca, controller, history, version.

Examples:
  vrouterctl vrouter create edge-1 --endpoint vpn.example.org
  vrouterctl peer add edge-1 phone --out phone.conf
  vrouterctl peer remove edge-1 phone --dry-run
  vrouterctl show peers
  vrouterctl network create blue --subnet 172.18.0.0/16
  vrouterctl --controller https://controller.example --ca root.pem login
  vrouterctl --controller http://127.0.0.1:8080 peer list edge-1 --json

Exit status: 0 done, 1 failure, 2 wrong usage (apply --plan --exit-code: 3 there are changes). Errors have codes; docs/errors.md says what to do about each.`;

export function buildProgram(world: World): Command {
  const program = new Command('vrouterctl')
    .description('looks after virtual routers: the gateway on this host and the controller of all')
    .version(world.version, '--version', 'version of this command')
    .option('--json', "print the server's own data, errors too")
    .option('--socket <path>', "vrouterd's socket (or VROUTER_SOCKET)")
    .option('--controller <url>', `the controller (or VROUTER_CONTROLLER; ${DEFAULT_CONTROLLER})`)
    .option('--ca <file>', 'root certificates (PEM) that https:// controllers are checked against (or VROUTER_CA)')
    .option(
      '--token-file <file>',
      "API token for the controller (or VROUTER_TOKEN; else the login; else that of this machine's controller)",
    )
    .helpCommand(false)
    .helpOption('-h, --help', 'what it does and takes')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', examples);
  addShow(program, world);
  addWatch(program, world);
  addTrace(program, world);
  addCapture(program, world);
  addPlan(program, world);
  addEngine(program, world);
  addCertificate(program, world);
  addNetwork(program, world);
  addVrouter(program, world);
  addJoinToken(program, world);
  addPeer(program, world);
  addCa(program, world);
  addRotation(program, world);
  addController(program, world);
  addRoute(program, world);
  addVrf(program, world);
  addHostInterface(program, world);
  addPort(program, world);
  addMasquerade(program, world);
  addPublishedPort(program, world);
  addHistory(program, world);
  addVersions(program, world);
  addDiff(program, world);
  addFloatingIp(program, world);
  addNatSettings(program, world);
  addApply(program, world);
  addExport(program, world);
  addUser(program, world);
  addApiToken(program, world);
  addLogin(program, world);
  addLogout(program, world);
  addWhoami(program, world);
  addAudit(program, world);
  addVersion(program, world);
  addCompletion(program, world);
  addDryRun(program);
  for (const command of all(program)) {
    command.exitOverride((error) => refuse(command, error));
    // Errors are ours to print, once and with a code; help goes where commander says.
    command.configureOutput({
      writeOut: (text) => world.out(text.replace(/\n$/, '')),
      writeErr: (text) => world.note(text.replace(/\n$/, '')),
      outputError: () => {},
    });
    if (command.commands.length > 0)
      command.allowExcessArguments().action((_options: unknown, self: Command) => refuseAlone(self));
  }
  return program;
}

/** Runs one command line (without node and script); answers the exit status. Never throws. */
export async function runCli(argv: readonly string[], world: World): Promise<0 | 1 | 2 | 3> {
  try {
    await buildProgram(world).parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    if (thrown instanceof Looked) return 0;
    if (thrown instanceof Verdict) return thrown.exitStatus;
    const failure = failureOf(thrown);
    const text = argv.includes('--json') ? JSON.stringify(failure) : failure.toString();
    world.note(text);
    return failure.exitStatus;
  }
}

function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  return new Failure('internal', thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
}

/** Help and version pass; what commander objects to becomes ours, with a way out. */
function refuse(command: Command, error: CommanderError): never {
  if (error.exitCode === 0) throw error;
  const complaint = error.message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace(/\.$/, '');
  throw new Failure('usage', `${complaint}; see ${[...pathTo(command)].join(' ')} --help`);
}

/** `vrouterctl show` alone, or with a word that is none of its commands. */
function refuseAlone(command: Command): never {
  const names = command.commands.map((child) => child.name()).join(', ');
  const path = [...pathTo(command)].join(' ');
  const stray = command.args[0];
  const complaint =
    stray === undefined ? `${path} wants one of: ${names}` : `${path} knows no "${stray}", only: ${names}`;
  throw new Failure('usage', `${complaint}; see ${path} --help`);
}

function* pathTo(command: Command): Generator<string> {
  if (command.parent !== null) yield* pathTo(command.parent);
  yield command.name();
}

function* all(command: Command): Generator<Command> {
  yield command;
  for (const child of command.commands) yield* all(child);
}
