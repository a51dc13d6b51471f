/** Nothing in the project may name the machine it was made on: no package registry's host, no absolute path of a workshop. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { filesBelow, root } from './files.ts';

// Made of pieces, or this file would name them itself.
const words = [
  ['registry', '.', 'npm', 'js'],
  ['npm', 'js', '.', '(org|com)'],
  ['deb', '.', 'debian', '.org'],
  ['(archive|packages|snapshot|security)', '.', 'debian', '.org'],
  ['/', 'work', '/'],
  ['/', 'farm', '/'],
  ['/', 'root', '/'],
].map((pieces) => pieces.join('').replaceAll('.', '\\.'));
const forbidden = new RegExp(`(?<![\\w.-])(?:${words.join('|')})`, 'g');

/** What git has or would take; without git, everything that is ours. */
function projectFiles(): string[] {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return git.status === 0 ? git.stdout.split('\0').filter((path) => path !== '') : filesBelow('', '');
}

test('no file names a registry or a path of the machine it was made on', () => {
  const found: string[] = [];
  const files = projectFiles();
  assert.ok(files.includes('package.json'));
  for (const path of files) {
    for (const [index, line] of textOf(path).split('\n').entries()) {
      for (const match of line.matchAll(forbidden)) found.push(`${path}:${index + 1} ${match[0]}`);
    }
  }
  assert.deepEqual(found, []);
});

test('the pattern sees what it is for', () => {
  const named = [
    ['see https://', 'registry.np', 'mjs.org/x'],
    ["'/", "work/main'"],
    ['cd /', 'farm/a'],
  ];
  for (const pieces of named) assert.equal(pieces.join('').match(forbidden)?.length, 1, pieces.join(''));
  assert.equal(['a frame', 'work/shop, network/'].join('/').match(forbidden), null);
});

function textOf(path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch (error) {
    // Listed by git and deleted since, or a link to a folder.
    if (['ENOENT', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
