/**
 * Makes the table of docs/planes.md of what each plane does when it is asked: `node scripts/planes.ts`. The userspace plane here, the Linux
 * plane in a guest, whose kernel has all that it needs; takes a minute, and needs root.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { linuxContract } from '../tests/linux/guest.ts';
import { root } from './files.ts';

const page = join(root, 'docs/planes.md');

function abilitiesIn(output: string): ReadonlyMap<string, boolean> {
  const line = /abilities (\[.*\])/.exec(output.replaceAll(/\r/g, ''));
  if (line === null) throw new Error(`no abilities were told:\n${output}`);
  return new Map(JSON.parse(line[1]!) as [string, boolean][]);
}

const userspace = spawnSync(process.execPath, [join(root, 'packages/drivers/userspace/driver.test.ts')], {
  encoding: 'utf8',
  env: { ...process.env, VROUTER_ABILITIES: 'userspace' },
});
const columns = [
  abilitiesIn(userspace.stdout),
  abilitiesIn((await linuxContract({ VROUTER_ABILITIES: 'linux' })).output),
];
const rows = [...columns[0]!.keys()].map(
  (what) => `| ${[what, ...columns.map((column) => (column.get(what) === true ? 'yes' : '-'))].join(' | ')} |`,
);
const table = ['| what | `userspace` | `linux` |', '| --- | --- | --- |', ...rows].join('\n');
const before = readFileSync(page, 'utf8');
writeFileSync(page, before.replace(/\| what \|[\s\S]*?\n(?=\n|$(?![\s\S]))/, `${table}\n`));
