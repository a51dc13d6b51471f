import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { filesBelow, root } from './files.ts';
import { codeOf, importsOf } from './source.ts';

const samples: readonly (readonly [name: string, source: string, imports: readonly (string | null)[]])[] = [
  ['static', "import a from 'a';\nimport { b,\n  c } from 'b';\nimport 'c';", ['a', 'b', 'c']],
  ['types', "import type { A } from 'a';\nlet x: import('b').B;", ['a', 'b']],
  ['re-exports', "export * from 'a';\nexport { b } from 'b';\nexport const c = 1;", ['a', 'b']],
  ['dynamic', "const a = await import('a');\nimport.meta.resolve('b');", ['a', 'b']],
  ['computed', `await import(name);\nawait import(\`./\${name}.ts\`);`, [null, null]],
  ['comments', "// import a from 'a';\n/*\nimport 'b';\n*/\nconst c = 'x'; // import('d')", []],
  ['text', "const a = \"import 'b'\";\nconst c = `\nimport 'd';\n`;", []],
  ['after a template', `const a = \`\${{ b: \`}\` }} // no comment\`;\nimport('c');`, ['c']],
  ['after a regular expression', "const a = /['\"/*]/.test(b);\nimport('c');", ['c']],
];

for (const [name, source, imports] of samples) {
  test(`imports are found: ${name}`, () => {
    assert.deepEqual(
      importsOf(source).map((found) => found.specifier),
      imports,
    );
  });
}

test('lines stay where they were, and the line of an import is right', () => {
  assert.deepEqual(importsOf("/*\n\n*/\nimport 'a';"), [{ specifier: 'a', line: 4 }]);
  assert.equal(codeOf("a; // b\n'cd'; /e'/;", 'blank'), "a;     \n'  '; /  /;");
});

test('every file of the project is read to its end', () => {
  for (const file of filesBelow('packages', '.ts')) {
    const source = readFileSync(join(root, file), 'utf8');
    assert.equal(codeOf(source, 'blank').length, source.length, file);
  }
});
