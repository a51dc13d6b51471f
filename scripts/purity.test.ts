/** Time and chance are arguments: no pure package looks at a clock or throws dice, and no module keeps state of its own. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { purePackages } from './arrows.ts';
import { filesBelow, root } from './files.ts';
import { codeOf, lineAt } from './source.ts';

// The compiler refuses what Node and browsers bring; these are the language's own, which it cannot.
const impure =
  /\bDate\s*\.\s*now\b|\bMath\s*\.\s*random\b|\bperformance\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)|(?<!new )\bDate\(\)/g;
const topLevelVariable = /^(?:export )?(?:let|var)\b/gm;

function sightings(folder: string, pattern: RegExp): string[] {
  const found: string[] = [];
  for (const path of filesBelow(folder, '.ts')) {
    if (/\.(test|testing)\.ts$|\/gen\//.test(path)) continue;
    const source = readFileSync(join(root, path), 'utf8');
    for (const match of codeOf(source, 'blank').matchAll(pattern))
      found.push(`${path}:${lineAt(source, match.index)} ${match[0]}`);
  }
  return found;
}

for (const name of purePackages) {
  test(`${name} has no clock and no dice`, () => {
    assert.deepEqual(sightings(`packages/${name}`, impure), []);
  });
}

test('no module of a package has a variable of its own', () => {
  assert.deepEqual(sightings('packages', topLevelVariable), []);
});

test('the patterns see what they are for', () => {
  for (const line of [
    'Date.now()',
    'Math.random()',
    'performance.now()',
    'new Date()',
    'const now = Date.now;',
    'Date()',
  ])
    assert.equal(line.match(impure)?.length, 1, line);
  assert.equal('new Date(unixMs)'.match(impure), null);
  assert.equal("'Date.now()' // Math.random()".match(impure)?.length, 2);
  assert.equal(codeOf("'Date.now()' // Math.random()", 'blank').match(impure), null);
  assert.equal('const a = 1;\nlet b = 2;\nexport var c;\n  let d;'.match(topLevelVariable)?.length, 2);
});
