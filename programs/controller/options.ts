/** The command line. */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { Command } from 'commander';
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
  readonly agents: Address;
  /** Names and addresses in the server's certificate; empty means the usual ones. */
  readonly agentHosts: readonly string[];
  readonly logLevel: string;
  /** Whoever reaches REST may read /metrics. */
  readonly metricsOpen?: boolean;
  /** Not to run: to make an administrator's token and end. */
  readonly resetAdmin?: boolean;
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
    .option('--log-level <level>', LEVELS.join(', '), 'info')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      '\nvrouter-controller backup --help, vrouter-controller restore --help: all of it in one file',
    )
    .exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : 2));
  command.parse([...argv], { from: 'user' });
  const given = command.opts<{
    data: string;
    store?: string;
    rest: string;
    restInsecureAllowRemote: boolean;
    agents: string;
    agentHost: string[];
    logLevel: string;
    metricsOpen: boolean;
    resetAdmin: boolean;
  }>();
  const rest = readAddress(given.rest, '--rest');
  if (!isLoopback(rest.host) && !given.restInsecureAllowRemote) {
    const hint = `REST does not encrypt, and tokens would cross the network in the clear, so it listens on the loopback only; to let ${rest.host} be reached by others all the same, add --rest-insecure-allow-remote`;
    throw new ProblemError(problem('usage', hint, '--rest'));
  }
  if (!LEVELS.includes(given.logLevel))
    throw new ProblemError(problem('usage', `the log level is one of ${LEVELS.join(', ')}`, '--log-level'));
  for (const name of given.agentHost) {
    if (isIP(name) === 0 && !/^(?=.{1,253}$)[a-zA-Z0-9*]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(name))
      throw new ProblemError(
        problem('usage', `"${name.slice(0, 64)}" is neither a host name nor an address`, '--agent-host'),
      );
  }
  const agents = readAddress(given.agents, '--agents');
  const { data, agentHost: agentHosts, logLevel, metricsOpen, resetAdmin } = given;
  const store = readStorePlace(given.store ?? null);
  return { data, store, rest, agents, agentHosts, logLevel, metricsOpen, resetAdmin };
}

/** All names for the certificate, and the one for join strings. */
export function agentNames(options: Options): { readonly all: string[]; readonly joining: string } {
  const { host } = options.agents;
  const everywhere = host === '0.0.0.0' || host === '::';
  const usual = ['localhost', '127.0.0.1', '::1', hostname()];
  const all = [...options.agentHosts, ...(everywhere ? [] : [host]), ...usual];
  const joining = options.agentHosts[0] ?? (everywhere ? hostname() : host);
  return { all: [...new Set(all)], joining };
}

/** `host:port` for a URL. */
export function hostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function readAddress(text: string, option: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535)
    throw new ProblemError(problem('usage', `${option} looks like 127.0.0.1:8080 or [::1]:8080`, option));
  return { host: match[1] ?? match[2]!, port };
}
