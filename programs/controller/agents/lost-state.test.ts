import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Head } from '../desired/head.ts';
import type { VrouterRow } from '../store/vrouters.ts';
import { isLost } from './lost-state.ts';

const hash = (of: string): string => Buffer.from(of).toString('hex').padEnd(64, '0');

/** A vrouter whose versions 1..version have the hashes `a1`, `a2`, ... of which the last `kept` are remembered. */
function head(version: number, more: Partial<VrouterRow> = {}, kept = version): Head {
  const row = {
    version,
    stateHash: '',
    confirmedVersion: 0,
    restoredVersion: 0,
    name: 'v',
    id: 'v',
    ...more,
  } as VrouterRow;
  const made = new Head(row);
  for (let n = version - kept + 1; n <= version; n++)
    made.changes.push({ version: n, hash: hash(`a${n}`), atUnixMs: 0, ops: [] });
  return made;
}

const rows: readonly [what: string, head: Head, version: number, hash: string | null, lost: boolean][] = [
  ['a gateway that has nothing yet', head(5), 0, null, false],
  ['one that is behind', head(5), 3, hash('a3'), false],
  ['one that is ahead', head(5), 6, hash('a6'), true],
  ['one that is ahead, and a person has confirmed', head(5, { confirmedVersion: 5 }), 6, hash('a6'), false],
  ['one that is ahead, and the confirmation was for less', head(5, { confirmedVersion: 4 }), 6, hash('a6'), true],
  ['one with our own state, wherever it has its number from', head(5), 9, head(5).hash, false],
  ['another hash where nothing was lost', head(5), 3, hash('b3'), false],
  ['a version that was made anew since the restore', head(8, { restoredVersion: 4 }), 6, hash('b6'), true],
  ['a version since the restore', head(8, { restoredVersion: 4 }), 6, hash('a6'), false],
  ['another hash from before the restore', head(8, { restoredVersion: 4 }), 3, hash('b3'), false],
  ['a version since the restore that is not remembered', head(9, { restoredVersion: 4 }, 2), 6, hash('a6'), true],
];

for (const [what, of, storedVersion, storedHash, lost] of rows)
  test(`${what} is ${lost ? '' : 'not '}held`, () => assert.equal(isLost(of, { storedVersion, storedHash }), lost));
