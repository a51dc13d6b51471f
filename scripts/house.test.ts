/** The shape of the house: no barrels, no file that ate the project, and a README wherever there is a job. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { packageNames, programNames } from './arrows.ts';
import { filesBelow, root } from './files.ts';
import { codeOf } from './source.ts';

const LONGEST = 500;
const folders = [...packageNames.map((name) => `packages/${name}`), ...programNames.map((name) => `programs/${name}`)];
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

function isBarrel(source: string): boolean {
  const code = codeOf(source);
  const reExport = /^export\s[^;'"]*?\bfrom\s*'[^']*';?/gm;
  return (
    reExport.test(code) &&
    code
      .replaceAll(reExport, '')
      .replaceAll(/^import\s[^;]*;/gm, '')
      .trim() === ''
  );
}

test('no file only passes on what others export', () => {
  const paths = folders.flatMap((folder) => filesBelow(folder, '.ts')).filter((path) => !path.includes('/gen/'));
  assert.deepEqual(
    paths.filter((path) => isBarrel(read(path))),
    [],
  );
  assert.ok(isBarrel("/** x */\nexport * from './a.ts';\nexport {\n  b,\n} from './b.ts';\n"));
  assert.ok(!isBarrel("export { b } from './b.ts';\nexport const c = 1;\n"));
});

test(`no file is longer than ${LONGEST} lines`, () => {
  const long = [...folders, 'scripts', 'tests', 'bench']
    .flatMap((folder) => filesBelow(folder, '.ts'))
    .filter((path) => !path.includes('/gen/'))
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > LONGEST);
  assert.deepEqual(long, []);
});

for (const folder of [...folders, 'tests', 'bench', 'docs', 'scripts']) {
  test(`${folder} says what its folders are for`, () => {
    const files = filesBelow(folder, folder === 'docs' ? '.md' : '.ts').map((path) => path.slice(folder.length + 1));
    const top = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]!));
    const readme = existsSync(join(root, folder, 'README.md')) ? read(`${folder}/README.md`) : null;
    assert.notEqual(readme, null, `${folder}/README.md is missing`);
    const silent = [...top].filter(
      (name) => !existsSync(join(root, folder, name, 'README.md')) && !(readme ?? '').includes(`${name}/`),
    );
    assert.deepEqual(silent, [], 'each has a README.md, or a row with its name and a slash in the one above');
  });
}
