import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { postgresBackend } from './dialect/postgres.ts';
import { readStorePlace } from './place.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-place-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(text: string, mode: number): string {
  const path = join(folder, `${Math.random()}`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function refused(text: string, code: string, why: RegExp): void {
  assert.throws(
    () => readStorePlace(text),
    (thrown) => {
      assert.ok(thrown instanceof ProblemError, String(thrown));
      assert.equal(thrown.problem.code, code);
      assert.match(thrown.message, why);
      assert.doesNotMatch(thrown.message, /s3cret/);
      return true;
    },
  );
}

test('a URL, a file with one, or nothing', () => {
  assert.equal(readStorePlace(null), null);
  for (const url of [
    'postgres://u@db.example/v',
    'postgresql://db:5433/v',
    'postgres:///v?host=/run/postgresql&user=u',
  ])
    assert.equal(readStorePlace(url), url);
  assert.equal(readStorePlace(file('postgres://u:s3cret@db/v\n', 0o600)), 'postgres://u:s3cret@db/v');
  assert.equal(readStorePlace(file('postgres://u@db/v', 0o644)), 'postgres://u@db/v', 'nothing to hide');
});

test('a password is not for the command line, nor for a file that others read', () => {
  refused('postgres://u:s3cret@db/v', 'usage', /mode 0600.*PGPASSFILE/);
  refused('postgres:///v?host=/run&password=s3cret', 'usage', /PGPASSFILE/);
  refused(file('postgres://u:s3cret@db/v', 0o640), 'config.invalid', /chmod 600/);
});

test('what is no URL and no file is said so', () => {
  refused(join(folder, 'missing'), 'config.invalid', /neither/);
  refused(folder, 'config.invalid', /neither|no file/);
  refused(file('mysql://u@db/v', 0o600), 'config.invalid', /postgres:/);
  refused(file('x'.repeat(10_000), 0o600), 'config.invalid', /no file with a URL/);
});

test('sentences name the database without its password', () => {
  assert.equal(postgresBackend('postgres://u:s3cret@db/v').where, 'postgres://u@db/v');
  assert.equal(
    postgresBackend('postgres:///v?host=/run&password=s3cret').where,
    'postgres:///v?host=/run&password=...',
  );
});
