/** The project's own files, for the scripts and tests that look at all of them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of the clone, without a slash at the end. */
export const root = join(import.meta.dirname, '..');

const notOurs = new Set(['node_modules', '.git', '.build', '.cache', '.vrouter']);

/** Paths of the files below `folder` (both relative to the clone) that end in `ending`, sorted. A missing folder has none. */
export function filesBelow(folder: string, ending: string): string[] {
  const found: string[] = [];
  const walk = (at: string): void => {
    for (const entry of entriesOf(at)) {
      if (notOurs.has(entry.name)) continue;
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && entry.name.endsWith(ending)) found.push(path);
    }
  };
  walk(folder);
  return found.sort();
}

function entriesOf(folder: string) {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
