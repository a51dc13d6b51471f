import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { spawnApart } from './spawn.ts';

const env = { PATH: process.env.PATH ?? '/bin', WORD: 'a b' };
const said = spawnApart('true', [], { env, output: 2, onExit() {} });
const skip = said === null ? 'this system has no posix_spawn or no pidfd_open' : false;

test('a program of a session of its own, with its words, its surroundings, and an end that is told', {
  skip,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spawn-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const output = openSync(join(folder, 'out'), 'a');
  const end = Promise.withResolvers<void>();
  const script =
    'cut -d" " -f6 /proc/$$/stat; echo "$1|$WORD|$PWD"; echo bad >&2; cat; exec grep -E "Sig(Blk|Ign)" /proc/self/status';
  const pid = spawnApart('sh', ['-c', script, 'sh', 'x y'], { env, output, onExit: end.resolve })!;
  closeSync(output);
  const alive = setTimeout(() => {}, 60_000);
  await end.promise;
  clearTimeout(alive);
  const [session, words, ...rest] = readFileSync(join(folder, 'out'), 'utf8').trim().split('\n');
  assert.equal(Number(session), pid);
  assert.equal(words, 'x y|a b|/');
  assert.deepEqual(rest, ['bad', 'SigBlk:\t0000000000000000', 'SigIgn:\t0000000000000000']);
  assert.throws(() => process.kill(pid, 0), /ESRCH/, 'nothing of it is left in the table of processes');
});

test('who is not there is told as ENOENT, by name and by path', { skip }, () => {
  for (const program of ['no-such-program', '/no/such/program'])
    assert.throws(() => spawnApart(program, [], { env, output: 2, onExit() {} }), { code: 'ENOENT' });
});
