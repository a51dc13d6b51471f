/**
 * The root of the embedded authority, for several controllers on one store: it lies there sealed (AES-256-GCM) with a key that the operator
 * gives each of them in a file, so that a further controller gets it by itself, and whoever reads the database alone gets nothing. The
 * intermediates are each controller's own (issuer-book.ts).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import { seal, unseal } from '../rest/sealed.ts';
import type { Db } from '../store/schema.ts';
import { readSetting, settle } from '../store/settings.ts';
import { newRoot, rootFingerprintOf } from './authority.ts';
import { readSecret } from './step/provisioner.ts';

const OPTION = '--ca-key-file';
const SCOPE = 'caRoot';
/** 32 random bytes in base64 or hex are longer. */
const KEY_MIN = 40;

/**
 * Puts the root that the store has into `folder`, or that of the folder (a new one, if there is none) into the store. `knownFingerprint`: of
 * the root which gateways know; null: none does yet. Two that begin at once end with the same one. Throws ProblemError `config.invalid`
 * for the key, `data.corrupt` for a folder with another root, `store.unavailable`.
 */
export async function shareRoot(
  db: Db,
  folder: string,
  keyFile: string,
  knownFingerprint: string | null,
  unixMs: () => number,
): Promise<void> {
  const secret = readSecret(keyFile, OPTION);
  if (secret.length < KEY_MIN) {
    const hint = `${keyFile} holds too short a key; make one with: (umask 077; head -c 32 /dev/urandom | base64 > FILE), and give the same to each controller`;
    throw new ProblemError(problem('config.invalid', hint, OPTION));
  }
  ensurePrivateFolder(folder);
  const path = join(folder, 'root.pem');
  const own = existsSync(path) ? readFileSync(path, 'utf8') : null;
  let sealed = await readSetting(db, SCOPE);
  if (sealed === null) {
    // Gateways know a root that neither the store nor the folder has: opening the authority says so.
    if (own === null && knownFingerprint !== null) return;
    const root = own ?? (await newRoot(unixMs()));
    if (knownFingerprint !== null && (await rootFingerprintOf(path, root)) !== knownFingerprint) return;
    sealed = await settle(db, SCOPE, seal(secret, SCOPE, root));
  }
  let root: string;
  try {
    root = unseal(secret, SCOPE, sealed);
  } catch {
    const hint = `the authority in the store was sealed with another key than that of ${keyFile}; give this controller the key file of the others`;
    throw new ProblemError(problem('config.invalid', hint, OPTION));
  }
  if (own === null) await writeFileDurably(path, root, 0o600);
  else if ((await rootFingerprintOf(path, own)) !== (await rootFingerprintOf(path, root))) {
    const hint = `${path} is another root than the controllers of this store share; begin with a new data folder, or move ca/ away if no gateway knows it`;
    throw new ProblemError(problem('data.corrupt', hint));
  }
}
