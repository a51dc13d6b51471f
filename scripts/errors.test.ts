/** The codes, their statuses and the manual say the same. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { statusOf } from '../packages/api/status.ts';
import { problemCodes } from '../packages/core/codes.ts';
import { root } from './files.ts';

interface Row {
  readonly code: string;
  readonly http: number;
  readonly means: string;
  readonly todo: string;
}

const manual = readFileSync(join(root, 'docs/errors.md'), 'utf8');
// - **`code`** (status) What it means.
//   *Do:* What to do.
const rows: readonly Row[] = [...manual.matchAll(/^- \*\*`(.+?)`\*\* \((\d{3})\) (.+)\n {2}[*_]Do:[*_] (.+)$/gm)].map(
  ([, code, http, means, todo]) => ({ code: code!, http: Number(http), means: means!, todo: todo! }),
);

test('the manual has every code once, and no other', () => {
  assert.deepEqual(rows.map((row) => row.code).sort(), [...problemCodes].sort());
});

for (const code of problemCodes) {
  test(`${code} has a status, a meaning and a way out`, () => {
    const row = rows.find((candidate) => candidate.code === code);
    assert.ok(row, 'no row in docs/errors.md');
    assert.equal(row.http, statusOf(code).http);
    assert.ok(row.means.length > 15 && row.todo.length > 15);
    assert.equal(
      statusOf(code).exit === 2,
      statusOf(code).http === 400,
      'wrong usage is what the asker can mend by asking otherwise',
    );
  });
}

test('every command that the manual tells people to type exists', () => {
  const main = join(root, 'programs/cli/main.ts');
  const { stdout } = spawnSync(process.execPath, [main, 'completion', 'bash'], { encoding: 'utf8' });
  const typed = [...manual.matchAll(/`vrouterctl ([a-z]+ [a-z]+)/g)];
  assert.ok(typed.length > 5);
  for (const [, command] of typed) assert.ok(stdout.includes(`'${command}')`), `vrouterctl ${command} is no command`);
});
