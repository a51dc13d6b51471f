/** The drawing of who imports whom in docs/map.md is that of arrows.ts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { arrows, type Importer, type PackageName, packageNames } from './arrows.ts';
import { root } from './files.ts';

const map = readFileSync(join(root, 'docs/map.md'), 'utf8');
const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

/** What the drawing says where `importer` meets `target`. */
function drawn(importer: Importer, target: PackageName): string {
  const words = arrows[importer]
    .filter(({ to }) => to === target || to.startsWith(`${target}/`))
    .map(({ to, from }) => {
      const part = to === target ? 'yes' : `\`${to.slice(target.length + 1)}\` alone`;
      return from === undefined ? part : `from \`${from}\``;
    });
  return words.join(', ');
}

test('docs/map.md draws the arrows as they are', () => {
  const rows = map.split('\n').filter((line) => line.startsWith('|'));
  const head = rows.findIndex((line) => cellsOf(line)[0] === 'imports');
  assert.ok(head >= 0, 'the table that begins with "imports" is missing');
  const targets = cellsOf(rows[head]!)
    .slice(1)
    .map((cell) => cell.replaceAll('`', ''));
  assert.deepEqual([...targets].sort(), packageNames.filter((name) => arrowsTo(name)).sort());
  const importers = Object.keys(arrows) as Importer[];
  const table = rows.slice(head + 2, head + 2 + importers.length).map(cellsOf);
  assert.deepEqual(table.map(([name]) => name!.replaceAll('`', '')).sort(), [...importers].sort());
  for (const [name, ...cells] of table) {
    const importer = name!.replaceAll('`', '') as Importer;
    const expected = targets.map((target) => drawn(importer, target as PackageName));
    assert.deepEqual(cells, expected, `the row of ${importer}`);
  }
});

function arrowsTo(name: PackageName): boolean {
  return Object.values(arrows).some((all) => all.some(({ to }) => to === name || to.startsWith(`${name}/`)));
}
