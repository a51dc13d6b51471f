/**
 * What was read is certain: before each SIGHUP the one file in the zone's `marks/` gets another name. dnsmasq lists that folder before it
 * reads anything and reads it last, so its log names a mark only after it has read names that are at least as new.
 */
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Numbers are used again: dnsmasq remembers every name it has seen in that folder. */
const MARKS = 64;

/** The one file of the folder gets the next number; its path. Throws what the file system does. */
export function nextMark(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  // Whoever runs as another user lists it, whatever the umask says.
  chmodSync(folder, 0o755);
  const [present, ...others] = readdirSync(folder);
  for (const other of others) rmSync(join(folder, other));
  const next = join(folder, String(((Number(present) || 0) + 1) % MARKS));
  if (present === undefined) closeSync(openSync(next, 'wx', 0o644));
  else renameSync(join(folder, present), next);
  return next;
}
