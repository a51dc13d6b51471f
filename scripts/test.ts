/**
 * `npm test [-- FILTER]`: lint and format, types, then every test; ends with what did not run and why, and one line of numbers.
 * With a FILTER only the test files whose path contains it run, and nothing else. `--no-install` leaves the machine's packages emulated.
 */
import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesBelow, root } from './files.ts';
import { checkStages } from './testing/checks.ts';
import { runTestFiles } from './testing/run.ts';
import { ensureWorlds } from './worlds.ts';

const args = process.argv.slice(2);
const filter = args.find((arg) => !arg.startsWith('-'));
const unknown = args.find((arg) => arg.startsWith('-') && arg !== '--no-install');
if (unknown !== undefined) {
  console.error(`error: there is no option ${unknown}; use: npm test [-- [--no-install] FILTER]`);
  process.exit(2);
}

process.chdir(root);
useWritableTmp();
const files = ['packages', 'programs', 'scripts', 'tests']
  .flatMap((folder) => filesBelow(folder, '.test.ts'))
  .filter((file) => filter === undefined || file.includes(filter));
if (files.length === 0) {
  console.error(`error: no test file's path contains "${filter}"`);
  process.exit(2);
}

const stages = filter === undefined ? await checkStages() : [];
if (!args.includes('--no-install')) ensureWorlds();
const startedAt = performance.now();
const beside = await runTestFiles(
  files.filter((file) => !isEmulated(file)),
  process.stdout,
);
// An emulated machine takes a core, and is slow enough as it is: one for each, and nothing beside them.
const emulated = await runTestFiles(files.filter(isEmulated), process.stdout, {
  concurrency: availableParallelism(),
  limitMs: 600_000,
});
const tests = {
  passed: beside.passed + emulated.passed,
  failures: [...beside.failures, ...emulated.failures],
  skips: [...beside.skips, ...emulated.skips],
};
stages.push({ name: `${files.length} test files`, ok: tests.failures.length === 0, ms: performance.now() - startedAt });

console.log();
for (const stage of stages)
  console.log(
    `${stage.ok ? 'ok    ' : 'FAILED'} ${stage.name.padEnd(32)} ${(stage.ms / 1000).toFixed(1).padStart(7)} s`,
  );
if (tests.failures.length > 0) console.log(`\nfailed:\n${tests.failures.map((line) => `  ${line}`).join('\n')}`);
if (tests.skips.length > 0) {
  console.log('\nnot run:');
  const width = Math.max(...tests.skips.map((skip) => skip.test.length));
  for (const skip of tests.skips) console.log(`  ${skip.test.padEnd(width)}  ${skip.reason}`);
}
const incomplete = process.env.CI === 'true' && tests.skips.length > 0;
if (incomplete) console.log('\nCI=true: what did not run counts as a failure');

const failed = tests.failures.length + stages.filter((stage) => stage.check && !stage.ok).length;
console.log(`\n${tests.passed} passed, ${failed} failed, ${tests.skips.length} skipped`);
process.exitCode = failed > 0 || incomplete ? 1 : 0;

/** Whether a test starts a machine of its own (tests/world/guest.ts). */
function isEmulated(file: string): boolean {
  return /from '[^']*\b(?:on-)?guest\.ts'/.test(readFileSync(join(root, file), 'utf8'));
}

/** Tests put sockets and data under the temporary folder; where that cannot be written, the clone's own cache stands in. */
function useWritableTmp(): void {
  try {
    accessSync(tmpdir(), constants.W_OK);
  } catch {
    process.env.TMPDIR = join(root, '.cache/tmp');
    mkdirSync(process.env.TMPDIR, { recursive: true });
  }
}
