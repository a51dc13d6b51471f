/** Who a resolver runs as: a user that has nothing. */
import { readFileSync } from 'node:fs';

export interface RunAs {
  readonly user: string;
  readonly group: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user that the package made for it, or nobody; null where we are not root and everything runs as we do. */
export function unprivilegedUser(names: readonly string[] = ['dnsmasq', 'nobody']): RunAs | null {
  if (process.getuid?.() !== 0) return null;
  const users = rows('/etc/passwd');
  const groups = rows('/etc/group');
  for (const name of names) {
    const user = users.find((row) => row[0] === name);
    const group = groups.find((row) => row[2] === user?.[3]);
    if (user !== undefined && group !== undefined)
      return { user: name, group: group[0]!, uid: Number(user[2]), gid: Number(user[3]) };
  }
  return null;
}

/** passwd(5) and group(5): a line each, fields between colons. */
function rows(path: string): readonly (readonly string[])[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    return [];
  }
}
