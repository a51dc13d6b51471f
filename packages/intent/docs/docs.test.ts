/** The model as drawn and the model as built are one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { intentRank } from '../compile/compile.ts';
import { type ObjectKind, objectKinds } from '../model/objects.ts';
import { testKey } from '../testing/outside.ts';
import { parseIntent } from '../validate/intent.ts';

interface Section {
  readonly kind: string;
  readonly now: boolean;
  readonly text: string;
  /** First cell's names, second cell. */
  readonly rows: readonly (readonly [readonly string[], string])[];
}

function sections(file: string): Section[] {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  return text.split(/^##+ /m).flatMap((part) => {
    const head = /^`(\w+)` - (now|later)\n/.exec(part);
    if (head === null) return [];
    const rows = [...part.matchAll(/^\| (`.*?) +\| (.*?) +\|/gm)].map(
      (row) => [[...row[1]!.matchAll(/`(\w+)`/g)].map((name) => name[1]!), row[2]!] as const,
    );
    return [{ kind: head[1]!, now: head[2] === 'now', text: part, rows }];
  });
}

const objects = sections('objects.md');
const intents = sections('intents.md');

test('kinds marked now are those with code', () => {
  const now = (all: readonly Section[]): string[] => all.flatMap((s) => (s.now ? [s.kind] : [])).sort();
  assert.deepEqual(now(objects), Object.keys(objectKinds).sort());
  assert.deepEqual(now(intents), Object.keys(intentRank).sort());
});

for (const kind of Object.keys(objectKinds) as ObjectKind[])
  test(`object ${kind}: the fields and their classes`, () => {
    const spec = objectKinds[kind];
    const fixed: readonly string[] = spec.fixed;
    const drawn = objects
      .find((s) => s.kind === kind)!
      .rows.filter(([, of]) => /^(key|desired|fixed|initial|writeOnly|learned)$/.test(of))
      .flatMap(([names, of]) => names.map((name) => `${name} ${of}`));
    const built = Object.entries(spec.fields).map(([name, of]) => `${name} ${fixed.includes(name) ? 'fixed' : of}`);
    assert.deepEqual(drawn.sort(), [...built, ...spec.learned.map((name) => `${name} learned`)].sort());
  });

const examples: readonly object[] = [
  { kind: 'vrf', name: 'blue' },
  { kind: 'gatewayInterface', name: 'wg0', listenPort: 1 },
  { kind: 'address', interface: 'wg0', address: '10.0.0.1/24' },
  { kind: 'peer', interface: 'wg0', publicKey: testKey(1) },
  { kind: 'route', prefix: '10.0.0.0/8', blackhole: true },
];

test('intents: the fields', () => {
  assert.equal(examples.length, Object.keys(intentRank).length);
  for (const example of examples) {
    const parsed = parseIntent(example);
    assert.ok(parsed.ok);
    const section = intents.find((s) => s.kind === parsed.value.kind)!;
    const drawn = section.rows.filter(([, type]) => type !== 'later').flatMap(([names]) => names);
    assert.deepEqual(['kind', ...drawn].sort(), Object.keys(parsed.value).sort(), parsed.value.kind);
  }
});

test('every intent comes to objects that are drawn, and every object has someone who asks for it', () => {
  const drawn = new Set(objects.map((s) => s.kind));
  const asked = new Set<string>();
  for (const { kind, text } of intents) {
    const to = /Comes to\b([\s\S]*?)(?:Refers to:|Claims:|Fields:|Facts?:|Allocates:|Said by|$)/.exec(text)?.[1] ?? '';
    const words = [...to.matchAll(/`(\w+)`/g)].map((match) => match[1]!).filter((word) => drawn.has(word));
    if (kind !== 'overlaySettings') assert.ok(words.length > 0, `${kind} comes to nothing`);
    for (const word of words) asked.add(word);
  }
  assert.deepEqual(
    [...drawn].filter((kind) => !asked.has(kind)),
    [],
  );
  const table = readFileSync(new URL('objects.md', import.meta.url), 'utf8');
  for (const kind of drawn)
    assert.match(table, new RegExp(`\\| \`${kind}\` +\\| [^|]+ \\| (U|S|-)`), `${kind} is served by nobody`);
});
