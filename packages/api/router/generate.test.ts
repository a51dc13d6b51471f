/** What is committed in gen/ is what router.proto comes to; the program that makes it needs nothing from outside. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const programs = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));

test('gen/ is as `buf generate` writes it now', (t) => {
  const out = mkdtempSync(join(tmpdir(), 'buf-'));
  t.after(() => rmSync(out, { recursive: true }));
  const env = { ...process.env, PATH: `${programs}:${process.env.PATH ?? ''}`, BUF_CACHE_DIR: out };
  const { status, stderr } = spawnSync(join(programs, 'buf'), ['generate', '--output', out], {
    cwd: here,
    env,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.equal(
    readFileSync(join(out, 'gen/router_pb.ts'), 'utf8'),
    readFileSync(join(here, 'gen/router_pb.ts'), 'utf8'),
    'run `npx buf generate` in packages/api/router',
  );
});
