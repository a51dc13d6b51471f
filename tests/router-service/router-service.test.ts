/** The list of promises, each held by name, and those of a service that runs, tried in a guest; what is done to it is `life.test.ts`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { items } from './list.ts';
import { FIRST_OF_LIFE, triedOnMachine } from './on-guest.ts';

test('the list has its 27 items, and each is held by tests that exist', () => {
  assert.deepEqual(
    items.map(({ number }) => number),
    Array.from({ length: 27 }, (_, i) => i + 1),
  );
  for (const { number, onMachine, heldBy } of items) {
    assert.ok(onMachine || heldBy.length > 0, `${number} is held nowhere`);
    for (const [file, name] of heldBy) assert.ok(hasTest(read(file), name), `${number}: ${file} has no test "${name}"`);
  }
});

triedOnMachine((number) => number < FIRST_OF_LIFE);

test('docs/compat/router-service.md names tests that exist', () => {
  const text = read('docs/compat/router-service.md');
  const rows = text.split('\n').filter((line) => line.startsWith('|') && !/^\| *-/.test(line));
  const named = rows
    .filter((line) => line.split('|').length === 5)
    .map((line) => line.split('|')[3]!.trim())
    .filter((cell) => cell !== 'test' && cell !== '' && /^(machine|`)/.test(cell))
    .flatMap((cell) => cell.split(' · '));
  assert.ok(named.length > 50);
  for (const name of named) {
    const [, number] = /^machine: (\d+)$/.exec(name) ?? [];
    const [, file, begins] = /^`([a-z-]+)`: (.+)$/.exec(name) ?? [];
    if (number !== undefined)
      assert.ok(
        items.some((item) => item.onMachine && item.number === Number(number)),
        name,
      );
    else assert.ok(hasTest(read(`programs/vrouterd/doors/router/${file}.test.ts`), begins!), name);
  }
});

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

function hasTest(source: string, begins: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`test(${quote}${begins}`));
}
