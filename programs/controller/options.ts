/** The command line. */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { Command } from 'commander';
import { GRACE_MS } from './ca/provider.ts';
import type { StepCaOptions } from './ca/step/step-ca.ts';
import { addLoginOptions, type LoginGiven, type LoginOptions, readLoginOptions } from './login/options.ts';
import type { RestCertificateFiles } from './rest/certificate.ts';
import { isLoopback } from './rest/guard.ts';
import { readStorePlace } from './store/place.ts';
import { VERSION } from './version.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Options {
  readonly data: string;
  /** URL of a PostgreSQL database; null: SQLite in the data folder. */
  readonly store?: string | null;
  readonly rest: Address;
  /** What REST shows over TLS: files, or a certificate of the authority; null, or nothing: it does not encrypt. */
  readonly restTls?: RestCertificateFiles | 'authority' | null;
  readonly agents: Address;
  /** Names and addresses in the server's certificate; empty means the usual ones. */
  readonly agentHosts: readonly string[];
  /** Where gateways reach this controller, `host:port` or `host`, the first also in join strings; empty: the usual one. */
  readonly agentAddresses?: readonly AgentAddress[];
  /** An external authority; null, or nothing, is the embedded one. */
  readonly stepCa?: StepCaOptions | null;
  /** The key with which the controllers of a store share the authority's root; null: the folder `ca/` is copied. */
  readonly caKeyFile?: string | null;
  /** Gateways that bring no certificate request, as the original's, get a key that is made here. */
  readonly allowControllerMadeKeys?: boolean;
  /** A gateway's certificate that has ended can be renewed for so long, ms; a week when nothing is said. */
  readonly certificateGraceMs?: number;
  /** How people log in; null, or nothing: by API tokens alone. */
  readonly login?: LoginOptions | null;
  readonly logLevel: string;
  /** Whoever reaches REST may read /metrics. */
  readonly metricsOpen?: boolean;
  /** Not to run: to make an administrator's token and end. */
  readonly resetAdmin?: boolean;
}

/** A null port is the one that the listener has. */
export interface AgentAddress {
  readonly host: string;
  readonly port: number | null;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Reads the arguments (without node and script). Prints and exits for --help, --version and mistakes of form (exit 2). Throws `usage`. */
export function readOptions(argv: readonly string[]): Options {
  const command = new Command('vrouter-controller')
    .description('Admits gateways, holds the configuration of virtual routers, hears their statistics')
    .version(VERSION)
    .requiredOption('--data <dir>', 'folder for everything that is kept (made when missing, mode 0700)')
    .option(
      '--store <url>',
      'PostgreSQL database, postgres://user@host/name, or a file with its URL (mode 0600); else SQLite in the folder',
    )
    .option('--rest <host:port>', 'where REST listens; port 0 takes a free one', '127.0.0.1:8080')
    .option('--rest-certificate <file>', 'REST speaks TLS with this certificate and its intermediates, PEM')
    .option('--rest-key <file>', 'its key, PEM, mode 0600; both files are read again when they change, and on SIGHUP')
    .option('--rest-tls', 'REST speaks TLS with a certificate of the authority, for the names of --agent-host', false)
    .option('--rest-insecure-allow-remote', 'let REST, which does not encrypt, listen beyond the loopback', false)
    .option('--metrics-open', 'let /metrics be read without a token', false)
    .option(
      '--reset-admin',
      'all tokens lost? Stop the controller; this makes a fresh one for the user admin, and ends',
      false,
    )
    .option('--agents <host:port>', 'where gateways connect (TLS); port 0 takes a free one', '127.0.0.1:8443')
    .option(
      '--agent-host <name>',
      'name or address in the certificate for gateways, the first also in join strings; may be repeated',
      (name: string, names: string[]) => [...names, name],
      [] as string[],
    )
    .option(
      '--agent-address <host[:port]>',
      'where gateways reach this controller, told to all of them; may be repeated; else the first --agent-host',
      (text: string, all: string[]) => [...all, text],
      [] as string[],
    )
    .option(
      '--ca-key-file <file>',
      'key (mode 0600, the same for all) that seals the authority in the store, so that each further controller on a PostgreSQL gets it',
    )
    .option('--step-ca <url>', 'take certificates from a step-ca there, instead of the embedded authority')
    .option('--step-ca-fingerprint <hex>', 'SHA-256 of its root certificate (step certificate fingerprint)')
    .option('--step-ca-provisioner <name>', 'its JWK provisioner that signs for gateways')
    .option(
      '--step-ca-key <file>',
      "the provisioner's key, mode 0600, a JWK; default: the one that the CA keeps, encrypted",
    )
    .option('--step-ca-password-file <file>', 'password of an encrypted key, mode 0600')
    .option(
      '--allow-controller-made-keys',
      'make the key of a gateway that sends no certificate request, as the original does (default: refuse)',
      false,
    )
    .option('--certificate-grace <days>', 'how long a certificate that has ended can be renewed, 0 to 7', '7')
    .option('--log-level <level>', LEVELS.join(', '), 'info')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      '\nvrouter-controller backup --help, vrouter-controller restore --help: all of it in one file',
    )
    .exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : 2));
  addLoginOptions(command);
  command.parse([...argv], { from: 'user' });
  const given = command.opts<
    {
      data: string;
      store?: string;
      rest: string;
      restInsecureAllowRemote: boolean;
      restCertificate?: string;
      restKey?: string;
      restTls: boolean;
      agents: string;
      agentHost: string[];
      agentAddress: string[];
      allowControllerMadeKeys: boolean;
      caKeyFile?: string;
      certificateGrace: string;
      logLevel: string;
      metricsOpen: boolean;
      resetAdmin: boolean;
    } & StepCaGiven &
      LoginGiven
  >();
  const rest = readAddress(given.rest, '--rest');
  const restTls = readRestTls(given);
  if (!isLoopback(rest.host) && restTls === null && !given.restInsecureAllowRemote) {
    const hint = `REST does not encrypt, and tokens would cross the network in the clear, so it listens on the loopback only; give it a certificate (--rest-certificate and --rest-key, or --rest-tls), or, to let ${rest.host} be reached in the clear all the same, --rest-insecure-allow-remote`;
    throw new ProblemError(problem('usage', hint, '--rest'));
  }
  if (!LEVELS.includes(given.logLevel))
    throw new ProblemError(problem('usage', `the log level is one of ${LEVELS.join(', ')}`, '--log-level'));
  for (const name of given.agentHost) {
    if (!isHost(name))
      throw new ProblemError(
        problem('usage', `"${name.slice(0, 64)}" is neither a host name nor an address`, '--agent-host'),
      );
  }
  const agents = readAddress(given.agents, '--agents');
  const { data, agentHost: agentHosts, logLevel, metricsOpen, resetAdmin } = given;
  const store = readStorePlace(given.store ?? null);
  const caKeyFile = given.caKeyFile ?? null;
  if (caKeyFile !== null && (store === null || given.stepCa !== undefined)) {
    const hint =
      store === null
        ? 'on SQLite there is one controller: nobody to share with'
        : 'with --step-ca there is nothing to share';
    throw new ProblemError(
      problem('usage', `--ca-key-file is for controllers on one PostgreSQL (--store); ${hint}`, '--ca-key-file'),
    );
  }
  const agentAddresses = given.agentAddress.map(readAgentAddress);
  const stepCa = readStepCa(given);
  const login = readLoginOptions(given);
  const certificateGraceMs = readGrace(given.certificateGrace);
  const { allowControllerMadeKeys } = given;
  const where = { rest, restTls, agents, agentHosts, agentAddresses };
  const trust = { caKeyFile, allowControllerMadeKeys, stepCa, certificateGraceMs };
  return { data, store, ...where, ...trust, login, logLevel, metricsOpen, resetAdmin };
}

/** Throws `usage`. */
function readRestTls(given: {
  readonly restCertificate?: string;
  readonly restKey?: string;
  readonly restTls: boolean;
}): NonNullable<Options['restTls']> | null {
  const { restCertificate: certificate, restKey: key, restTls } = given;
  if (certificate === undefined && key === undefined) return restTls ? 'authority' : null;
  const wrong = (hint: string, option: string) => new ProblemError(problem('usage', hint, option));
  if (certificate === undefined) throw wrong('--rest-key needs --rest-certificate', '--rest-certificate');
  if (key === undefined) throw wrong('--rest-certificate needs --rest-key', '--rest-key');
  if (restTls) throw wrong('one of --rest-tls and --rest-certificate: two certificates cannot be shown', '--rest-tls');
  return { certificate, key };
}

interface StepCaGiven {
  readonly stepCa?: string;
  readonly stepCaFingerprint?: string;
  readonly stepCaProvisioner?: string;
  readonly stepCaKey?: string;
  readonly stepCaPasswordFile?: string;
}

/** Null when nothing of it is given. Throws `usage`. */
function readStepCa(given: StepCaGiven): StepCaOptions | null {
  const { stepCa, stepCaFingerprint, stepCaProvisioner, stepCaKey, stepCaPasswordFile } = given;
  const wrong = (hint: string, option: string) => new ProblemError(problem('usage', hint, option));
  if (stepCa === undefined) {
    if ([stepCaFingerprint, stepCaProvisioner, stepCaKey, stepCaPasswordFile].some((value) => value !== undefined))
      throw wrong('--step-ca-... say more of --step-ca, which is not given', '--step-ca');
    return null;
  }
  const url = URL.canParse(stepCa) ? new URL(stepCa) : null;
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw wrong('--step-ca looks like https://ca.example:9000', '--step-ca');
  const fingerprint = stepCaFingerprint?.replaceAll(/[:-]/g, '').toLowerCase() ?? '';
  if (!/^[0-9a-f]{64}$/.test(fingerprint))
    throw wrong('--step-ca-fingerprint is needed with --step-ca: 64 hex digits', '--step-ca-fingerprint');
  if (stepCaProvisioner === undefined || stepCaProvisioner === '')
    throw wrong('--step-ca-provisioner is needed with --step-ca', '--step-ca-provisioner');
  if (stepCaKey === undefined && stepCaPasswordFile === undefined)
    throw wrong('--step-ca needs --step-ca-key, --step-ca-password-file, or both', '--step-ca-key');
  const provisioner = { name: stepCaProvisioner, keyFile: stepCaKey ?? null, passwordFile: stepCaPasswordFile ?? null };
  return { url: url.origin, fingerprint, provisioner };
}

function readGrace(text: string): number {
  const days = Number(text);
  if (!/^\d(\.\d+)?$/.test(text) || days > 7)
    throw new ProblemError(
      problem('usage', '--certificate-grace is a number of days from 0 to 7', '--certificate-grace'),
    );
  return (days / 7) * GRACE_MS;
}

/** All names for the certificate, and the one for join strings. */
export function agentNames(options: Options): { readonly all: string[]; readonly joining: string } {
  const { host } = options.agents;
  const everywhere = host === '0.0.0.0' || host === '::';
  const usual = ['localhost', '127.0.0.1', '::1', hostname()];
  // REST may show the same certificate, and where it listens is a name of it then.
  const rest =
    options.restTls === 'authority' && !['0.0.0.0', '::'].includes(options.rest.host) ? [options.rest.host] : [];
  const all = [
    ...options.agentHosts,
    ...(options.agentAddresses ?? []).map((one) => one.host),
    ...(everywhere ? [] : [host]),
    ...usual,
    ...rest,
  ];
  const joining = options.agentHosts[0] ?? (everywhere ? hostname() : host);
  return { all: [...new Set(all)], joining };
}

/** `host:port` for a URL. */
export function hostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where gateways reach this controller, whose listener has this port: `https://host:port` each, the one for join strings first. */
export function agentUrls(options: Options, port: number): string[] {
  const said = options.agentAddresses ?? [];
  const places = said.length > 0 ? said : [{ host: agentNames(options).joining, port }];
  return [...new Set(places.map((one) => new URL(`https://${hostPort(one.host, one.port ?? port)}`).origin))];
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^(?=.{1,253}$)[a-zA-Z0-9*]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(text);
}

function readAgentAddress(text: string): AgentAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]*]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = match?.[3] === undefined ? null : Number(match[3]);
  if (!isHost(host) || (port !== null && (port < 1 || port > 65_535))) {
    const hint = `"${text.slice(0, 64)}" is no address; it looks like c1.example, c1.example:8443 or [2001:db8::1]:8443`;
    throw new ProblemError(problem('usage', hint, '--agent-address'));
  }
  return { host, port };
}

function readAddress(text: string, option: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535)
    throw new ProblemError(problem('usage', `${option} looks like 127.0.0.1:8080 or [::1]:8080`, option));
  return { host: match[1] ?? match[2]!, port };
}
