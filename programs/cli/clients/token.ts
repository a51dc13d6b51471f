/** The API token: named, or that of a session, or that of a controller on this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../failure.ts';
import { isToken, readSession, sessionPath } from './sessions.ts';

/** A token and where it came from, for a sentence. */
export interface Credential {
  readonly token: string;
  readonly from: string;
  /** The file of the session that it is; null: no session. */
  readonly session: string | null;
}

export interface TokenSources {
  /** `--token-file` */
  readonly file: string | undefined;
  /** `VROUTER_TOKEN` */
  readonly text: string | undefined;
  /** Folder with the sessions of logins; null: there are none. */
  readonly sessions: string | null;
  /** Data folders of controllers that may run here, the likeliest first. */
  readonly folders: readonly string[];
}

/** Where a controller of this machine may keep its data: that of an `npm start` in this folder or in the clone, else the system's. */
export function defaultFolders(cwd: string, clone: string): string[] {
  return [...[cwd, clone].map((folder) => join(folder, '.vrouter/controller')), '/var/lib/vrouter-controller'];
}

/**
 * The file that was named, else the variable, else the session of a login at this controller, else the `admin-token` of a data folder
 * whose controller listens where we ask: a token that was only found goes to no other. Null when there is none. Failure
 * `config.invalid`. A session that has ended is still one: nobody becomes the administrator of this machine by waiting.
 */
export function findToken({ file, text, sessions, folders }: TokenSources, url: URL): Credential | null {
  if (file !== undefined) return { token: readNamed(file), from: file, session: null };
  if (text !== undefined)
    return { token: checked(text, 'VROUTER_TOKEN', undefined), from: 'VROUTER_TOKEN', session: null };
  const path = sessions === null ? null : sessionPath(sessions, url);
  const kept = path === null ? null : readSession(path);
  if (kept !== null) return { token: kept.token, from: `the login of ${kept.user}`, session: path };
  for (const folder of folders) {
    const path = join(folder, 'admin-token');
    const token = readIf(path)?.trim();
    if (token !== undefined && isToken(token) && listensAt(folder, url)) return { token, from: path, session: null };
  }
  return null;
}

function readNamed(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Failure('config.invalid', `cannot read the token in ${path}: ${why}`, '--token-file');
  }
  return checked(text, path, '--token-file');
}

/** What is in the wrong file is not shown: it may be another secret. */
function checked(text: string, where: string, field: string | undefined): string {
  const token = text.trim();
  if (isToken(token)) return token;
  throw new Failure('config.invalid', `there is no API token in ${where}; it looks like vra_k3x9q2ab_...`, field);
}

/** Whether the controller of the folder runs and is the one that is asked; it writes down where it listens. */
function listensAt(folder: string, url: URL): boolean {
  const text = readIf(join(folder, 'controller.json'));
  if (text === null || !/^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(url.hostname)) return false;
  try {
    const { rest, restPort } = JSON.parse(text) as { readonly rest?: unknown; readonly restPort?: unknown };
    const tls = typeof rest === 'string' && rest.startsWith('https:');
    const port = Number(url.port === '' ? (tls ? 443 : 80) : url.port);
    return url.protocol === (tls ? 'https:' : 'http:') && restPort === port;
  } catch {
    return false;
  }
}

function readIf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
