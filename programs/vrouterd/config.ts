/** What vrouterd is told: options, a YAML file, or both; an option wins over the file. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { MAX_WORKERS } from '@vrouter/engine/control/messages.ts';
import { parse } from 'yaml';
import { z } from 'zod';
import { controllerUrl } from './agent/addresses.ts';
import { readRouterService, routerServiceFile } from './doors/router/config.ts';
import type { RouterServiceConfig } from './doors/router/places.ts';

const DATA_FOLDER = '/var/lib/vrouter';
/** Who moves packets: our own engine, or the kernel. */
const planes = ['userspace', 'linux'] as const;
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** The file. Unknown keys are refused: a misspelt one would otherwise be silently ignored. */
const configFile = z.strictObject({
  data: z.string().optional(),
  join: z.string().optional(),
  /** Where controllers are, besides what the join string names and they themselves tell. */
  controllers: z
    .array(
      z.string().refine((text) => controllerUrl(text) !== null, 'an address looks like https://router.example:8443'),
    )
    .max(16)
    .optional(),
  /** What becomes of what the controller has said when this gateway was deleted there. */
  onDeleted: z.enum(['keep', 'flush']).optional(),
  socket: z.string().optional(),
  plane: z.enum(planes).optional(),
  engine: z
    .strictObject({
      socket: z.string().optional(),
      start: z.boolean().optional(),
      /** Threads that move packets; left out, the engine decides by the machine's cores. */
      workers: z.int().min(1).max(MAX_WORKERS).optional(),
    })
    .optional(),
  /** Where the names of networks are, for a resolver that has no privileges: below no folder that is closed to others. */
  names: z.string().optional(),
  logLevel: z.enum(logLevels).optional(),
  /** What the controller may say of this machine itself. */
  allow: z.strictObject({ hostInterface: z.boolean().optional(), port: z.boolean().optional() }).optional(),
  /** gRPC for clients of an older router for container networks; left out: it listens nowhere. */
  routerService: routerServiceFile.optional(),
  /** Intents of this host's own, source `file`; see the intent package's README. */
  intents: z.array(z.unknown()).optional(),
});

export type ConfigFile = z.infer<typeof configFile>;

export interface Options {
  readonly bootstrap?: boolean;
  readonly config?: string;
  readonly data?: string;
  readonly join?: string;
  readonly socket?: string;
  readonly engineSocket?: string;
  readonly engineStart?: boolean;
  readonly logLevel?: string;
  readonly allowHostInterface?: boolean;
  readonly takeOver?: boolean;
  readonly plane?: (typeof planes)[number];
  readonly routerService?: RouterServiceConfig;
}

/** What the owner of this machine lets the controller say of it. */
export interface Allow {
  /** Interfaces, addresses and routes of the machine itself. */
  readonly hostInterface: boolean;
  /** Ports into the Ethernets that the machine is on. */
  readonly port: boolean;
}

export interface Config {
  readonly configPath: string | null;
  readonly dataFolder: string;
  /** Also when the data folder is new and the host has things of another. */
  readonly takeOver: boolean;
  readonly join: string | null;
  /** `https://host:port` each. */
  readonly controllers: readonly string[];
  readonly onDeleted: 'keep' | 'flush';
  readonly socketPath: string;
  readonly engineSocketPath: string;
  readonly engineLogPath: string;
  readonly engineStart: boolean;
  /** Null: the engine decides. */
  readonly engineWorkers: number | null;
  readonly plane: (typeof planes)[number];
  readonly namesFolder: string;
  readonly logLevel: string;
  readonly allow: Allow;
  /** Null: no such door. */
  readonly routerService: RouterServiceConfig | null;
  readonly intents: readonly unknown[];
}

/** Throws ProblemError `config.invalid`, with the path of the field. */
export function readConfig(options: Options): Config {
  const file = options.config === undefined ? {} : readConfigFile(resolve(options.config));
  const dataFolder = resolve(
    options.data ?? file.data ?? (options.bootstrap === true ? '.vrouter/gateway' : DATA_FOLDER),
  );
  if (options.bootstrap !== true && options.plane === undefined && file.plane === undefined)
    throw invalid(
      'say which plane to use: --bootstrap (userspace, no privileges), or `plane: userspace` or `plane: linux` in the configuration file',
    );
  const level = options.logLevel ?? file.logLevel ?? 'info';
  if (!logLevels.some((known) => known === level))
    throw invalid(`the log level is one of ${logLevels.join(', ')}`, 'logLevel');
  return {
    configPath: options.config === undefined ? null : resolve(options.config),
    dataFolder,
    takeOver: options.takeOver ?? false,
    join: options.join ?? file.join ?? null,
    controllers: (file.controllers ?? []).flatMap((text) => controllerUrl(text) ?? []),
    onDeleted: file.onDeleted ?? 'keep',
    socketPath: resolve(options.socket ?? file.socket ?? join(dataFolder, 'vrouterd.sock')),
    engineSocketPath: resolve(options.engineSocket ?? file.engine?.socket ?? join(dataFolder, 'engine.sock')),
    engineLogPath: join(dataFolder, 'engine.log'),
    engineStart: options.engineStart ?? file.engine?.start ?? true,
    engineWorkers: file.engine?.workers ?? null,
    plane: options.bootstrap === true ? 'userspace' : (options.plane ?? file.plane ?? 'userspace'),
    namesFolder: resolve(file.names ?? namesFolderOf(dataFolder)),
    logLevel: level,
    allow: {
      hostInterface: options.allowHostInterface ?? file.allow?.hostInterface ?? false,
      port: file.allow?.port ?? false,
    },
    routerService:
      options.routerService ?? (file.routerService === undefined ? null : readRouterService(file.routerService)),
    intents: file.intents ?? [],
  };
}

/** Several daemons of a host have a folder each. */
function namesFolderOf(dataFolder: string): string {
  if (dataFolder === DATA_FOLDER) return '/run/vrouter/names';
  return `/run/vrouter/names-${createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)}`;
}

function readConfigFile(path: string): ConfigFile {
  if (!existsSync(path)) throw invalid(`there is no ${path}`);
  return parseConfigFile(readFileSync(path, 'utf8'), path);
}

/** The text of a configuration file. Throws ProblemError `config.invalid`, with the path of the field; `path` is for the message. */
export function parseConfigFile(text: string, path: string): ConfigFile {
  let raw: unknown;
  try {
    raw = parse(text, { logLevel: 'error' }) ?? {};
  } catch (thrown) {
    // Besides what is no YAML: aliases that would grow beyond measure, and what its own tags make of a value.
    throw invalid(`${path}: ${(thrown as Error).message}`);
  }
  const parsed = configFile.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const last = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  throw invalid(`${path}: ${issue.message}`, [...issue.path, ...last].join('.'));
}

function invalid(message: string, field?: string): ProblemError {
  return new ProblemError(problem('config.invalid', message, field));
}
