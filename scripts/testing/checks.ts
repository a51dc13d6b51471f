/** The stages of `npm test` that are not tests: Biome and the type check. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../files.ts';

export interface Stage {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  /** Set where a failure is no test's and so has to be counted by itself. */
  readonly check?: true;
}

/** Runs both, one after the other, each speaking on our own output; a failure of one does not hold back the other. */
export async function checkStages(): Promise<Stage[]> {
  // Without a git folder (an unpacked archive) Biome refuses to look for .gitignore.
  const loose = existsSync(join(root, '.git'))
    ? []
    : ['--vcs-enabled=false', 'packages', 'programs', 'scripts', 'tests', 'bench', 'docs'];
  return [
    await stage('lint and format (biome)', 'biome', 'ci', '--colors=off', ...(loose.length > 0 ? loose : ['.'])),
    await stage('types (tsc)', 'tsc', '-b'),
  ];
}

async function stage(name: string, program: string, ...args: readonly string[]): Promise<Stage> {
  console.log(`${name} ...`);
  const startedAt = performance.now();
  const child = spawn(join(root, 'node_modules/.bin', program), args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ok = await new Promise<boolean>((resolve) => {
    child.on('error', (error) => {
      console.error(`error: ${program} did not start: ${error.message}`);
      resolve(false);
    });
    child.on('close', (code) => resolve(code === 0));
  });
  return { name, ok, ms: performance.now() - startedAt, check: true };
}
