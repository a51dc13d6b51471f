/** `npm run soak [-- FILTER]`: the long forms of the worlds, `tests/**\/*.soak.ts`, one after the other. They are test files too. */
import { filesBelow, root } from './files.ts';
import { runTestFiles } from './testing/run.ts';

process.chdir(root);
const filter = process.argv[2] ?? '';
const files = filesBelow('tests', '.soak.ts').filter((file) => file.includes(filter));
if (files.length === 0) console.log(`there are no soaks${filter === '' ? ' yet' : ` whose path contains "${filter}"`}`);
else {
  const { passed, failures, skips } = await runTestFiles(files, process.stdout, {
    concurrency: 1,
    limitMs: 24 * 3_600_000,
  });
  for (const skip of skips) console.log(`not run: ${skip.test}: ${skip.reason}`);
  console.log(`\n${passed} passed, ${failures.length} failed, ${skips.length} skipped`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}
