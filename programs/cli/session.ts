/** What a command is handed: where to write, whom to ask, and how to show the answer. */
import type { Command } from 'commander';
import { type Controller, controllerAt, controllerUrl, DEFAULT_CONTROLLER } from './clients/controller.ts';
import { defaultSocket, type Gateway, gatewayAt } from './clients/gateway.ts';
import type { Reply } from './clients/reply.ts';
import { sessionsFolder } from './clients/sessions.ts';
import { defaultFolders, type TokenSources } from './clients/token.ts';
import { type DryRun, lookingOnly } from './dry-run/dry-run.ts';
import { previewText } from './dry-run/text.ts';
import { readRoots } from './http/trust.ts';

/** The machine around the command. */
export interface World {
  readonly env: { readonly [name: string]: string | undefined };
  readonly cwd: string;
  /** Folder of the clone. */
  readonly clone: string;
  readonly version: string;
  /** Wall time, Unix ms. */
  nowUnixMs(): number;
  /** One or more lines to standard output, without the last line end. */
  out(text: string): void;
  /** Bytes to standard output, for programs; resolves when there is room for more. */
  outBytes(bytes: Uint8Array): Promise<void>;
  /** Whether standard output is a terminal, where bytes do harm. */
  readonly outIsTerminal: boolean;
  /** Whether somebody is at standard input who can be asked. */
  readonly inIsTerminal: boolean;
  /** All of standard input, as UTF-8. */
  readIn(): Promise<string>;
  /** Asks on standard error; a line of standard input without its end, '' when that ends. */
  ask(question: string): Promise<string>;
  /** The same to standard error. */
  note(text: string): void;
  /** Shows a page to the person, if there is a browser to do it; nothing comes of it otherwise. */
  browse(url: string): void;
  /** Aborts when the user wants to stop. Until a command asks for it, an interrupt ends the program at once. */
  untilInterrupted(): AbortSignal;
}

export interface Session {
  readonly world: World;
  readonly json: boolean;
  gateway(): Gateway;
  /** With --dry-run, one whose changes are only looked at. */
  controller(): Controller;
  /** The controller, to whom nothing is shown of who asks. */
  stranger(): Controller;
  /** Its URL. Failure `usage` when that is none. */
  controllerUrl(): URL;
  /** The certificates of `--ca`; null: those of the system are believed. Failure `config.invalid`. */
  roots(): readonly string[] | null;
  /** Where tokens come from, the first that has one. */
  readonly tokens: TokenSources;
  /** Prints the server's own data with --json, else what `text` makes of it. */
  show<T>(reply: Reply<T>, text: (data: T, nowUnixMs: number) => string): void;
}

/** Options that every command takes, before or behind its own, and one that many have. */
interface Globals extends DryRun {
  readonly json?: boolean;
  readonly socket?: string;
  readonly controller?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

export function sessionOf(world: World, command: Command): Session {
  const globals = command.optsWithGlobals<Globals>();
  const json = globals.json === true;
  const url = globals.controller ?? env(world, 'VROUTER_CONTROLLER') ?? DEFAULT_CONTROLLER;
  const ca = globals.ca ?? env(world, 'VROUTER_CA');
  const roots = () => (ca === undefined ? null : readRoots(ca));
  const tokens: TokenSources = {
    file: globals.tokenFile,
    text: env(world, 'VROUTER_TOKEN'),
    sessions: sessionsFolder(world.env),
    folders: defaultFolders(world.cwd, world.clone),
  };
  const session: Session = {
    world,
    json,
    gateway: () => gatewayAt(globals.socket ?? env(world, 'VROUTER_SOCKET') ?? defaultSocket(world.cwd, world.clone)),
    controller() {
      const controller = controllerAt(url, tokens, roots());
      if (globals.dryRun !== true) return controller;
      return lookingOnly(controller, (reply) => session.show(reply, previewText));
    },
    stranger: () => controllerAt(url, null, roots()),
    roots,
    controllerUrl: () => controllerUrl(url),
    tokens,
    show(reply, text) {
      world.out(json ? JSON.stringify(reply.raw, null, 2) : text(reply.data, world.nowUnixMs()));
    },
  };
  return session;
}

/** An empty variable counts as none. */
function env(world: World, name: string): string | undefined {
  const value = world.env[name];
  return value === '' ? undefined : value;
}
