/**
 * Sessions of people who have logged in: a file for each controller, in a folder that is the user's alone. `vrouterctl login` writes it,
 * every command for that controller shows its token, `vrouterctl logout` removes it.
 */
import {
  chmodSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../failure.ts';

export interface KeptSession {
  /** URL of the controller. */
  readonly controller: string;
  readonly user: string;
  readonly token: string;
  /** Unix ms */
  readonly expiresUnixMs: number;
}

/**
 * `$XDG_STATE_HOME/vrouter/sessions`, by default in `~/.local/state` (XDG Base Directory Specification); null for who has no home, and so
 * no sessions.
 */
export function sessionsFolder(env: { readonly [name: string]: string | undefined }): string | null {
  const state = env.XDG_STATE_HOME;
  // A relative path there is to be ignored, says the specification.
  if (state?.startsWith('/') === true) return join(state, 'vrouter/sessions');
  const home = env.HOME;
  return home === undefined || home === '' ? null : join(home, '.local/state/vrouter/sessions');
}

/** The file of a controller: a URL is its own name, encoded so that it is one. */
export function sessionPath(folder: string, controller: URL): string {
  const where = controller.origin + controller.pathname.replace(/\/+$/, '');
  return join(folder, `${encodeURIComponent(where)}.json`);
}

/** Null when there is none. Failure `config.invalid` for a file that is none of ours, or that others may read. */
export function readSession(path: string): KeptSession | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw unusable(path, String(code));
  }
  try {
    if ((fstatSync(file).mode & 0o077) !== 0) throw unusable(path, 'others may read it');
    const kept = parse(readFileSync(file, 'utf8'));
    if (kept === null) throw unusable(path, 'it is not as vrouterctl wrote it');
    return kept;
  } finally {
    closeSync(file);
  }
}

/** Mode 0600 from its first moment, whole or not at all. Failure `data.unwritable`. */
export function writeSession(folder: string, path: string, session: KeptSession): void {
  const fresh = `${path}.${process.pid}.new`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    rmSync(fresh, { force: true });
    writeFileSync(fresh, `${JSON.stringify(session, null, 2)}\n`, { flag: 'wx', mode: 0o600, flush: true });
    renameSync(fresh, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Failure('data.unwritable', `cannot keep the session in ${path}: ${code}; --out FILE writes it elsewhere`);
  }
}

/** It may be gone already. */
export function removeSession(path: string): void {
  rmSync(path, { force: true });
}

function parse(text: string): KeptSession | null {
  try {
    const { controller, user, token, expiresUnixMs } = JSON.parse(text) as Partial<KeptSession>;
    if (typeof controller !== 'string' || typeof user !== 'string' || typeof token !== 'string') return null;
    if (!isToken(token) || typeof expiresUnixMs !== 'number') return null;
    return { controller, user, token, expiresUnixMs };
  } catch {
    return null;
  }
}

export function isToken(text: string): boolean {
  return /^vra_[a-z0-9]{8}_[A-Za-z0-9_-]{43}$/.test(text);
}

function unusable(path: string, why: string): Failure {
  return new Failure('config.invalid', `the session in ${path} cannot be used: ${why}; remove it and log in again`);
}
