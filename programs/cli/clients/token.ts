/** The API token: named, or that of a controller on this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../failure.ts';

/** A token and where it came from, for a sentence. */
export interface Credential {
  readonly token: string;
  readonly from: string;
}

export interface TokenSources {
  /** `--token-file` */
  readonly file: string | undefined;
  /** `VROUTER_TOKEN` */
  readonly text: string | undefined;
  /** Data folders of controllers that may run here, the likeliest first. */
  readonly folders: readonly string[];
}

/** Where a controller of this machine may keep its data: that of an `npm start` in this folder or in the clone, else the system's. */
export function defaultFolders(cwd: string, clone: string): string[] {
  return [...[cwd, clone].map((folder) => join(folder, '.vrouter/controller')), '/var/lib/vrouter-controller'];
}

/**
 * The file that was named, else the variable, else the `admin-token` of a data folder whose controller listens where we ask: a token
 * that was only found goes to no other. Null when there is none. Failure `config.invalid`.
 */
export function findToken({ file, text, folders }: TokenSources, url: URL): Credential | null {
  if (file !== undefined) return { token: readNamed(file), from: file };
  if (text !== undefined) return { token: checked(text, 'VROUTER_TOKEN', undefined), from: 'VROUTER_TOKEN' };
  for (const folder of folders) {
    const path = join(folder, 'admin-token');
    const token = readIf(path)?.trim();
    if (token !== undefined && isToken(token) && listensAt(folder, url)) return { token, from: path };
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

function isToken(text: string): boolean {
  return /^vra_[a-z0-9]{8}_[A-Za-z0-9_-]{43}$/.test(text);
}

/** Whether the controller of the folder runs and is the one that is asked; it writes down where it listens. */
function listensAt(folder: string, url: URL): boolean {
  const text = readIf(join(folder, 'controller.json'));
  if (text === null || !/^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(url.hostname)) return false;
  try {
    const { restPort } = JSON.parse(text) as { readonly restPort?: unknown };
    return url.protocol === 'http:' && restPort === Number(url.port === '' ? 80 : url.port);
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
