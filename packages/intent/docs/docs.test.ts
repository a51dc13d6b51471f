/** The model as drawn, the model as built and the README's tables are one. `node docs.test.ts --write` mends the README. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { intentRank } from '../compile/compile.ts';
import { intentKey } from '../model/intents.ts';
import { type ObjectKind, objectKinds } from '../model/objects.ts';
import { testKey } from '../testing/outside.ts';
import { parseIntent } from '../validate/intent.ts';
import { comesTo, type DrawnKind, fieldClasses, readKinds, readmeTables, saidKey, servedBy } from './model.ts';

const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');
const objectsPage = read('objects.md');
const intentsPage = read('intents.md');
const objects = readKinds(objectsPage);
const intents = readKinds(intentsPage);

/** One of each kind that there is code for. */
const examples: readonly { readonly kind: string; readonly [field: string]: unknown }[] = [
  { kind: 'vrf', name: 'blue' },
  { kind: 'gatewayInterface', name: 'wg0', listenPort: 1 },
  { kind: 'hostInterface', name: 'host0' },
  { kind: 'port', name: 'lan', device: 'eth1' },
  { kind: 'address', interface: 'wg0', address: '10.0.0.1/24' },
  { kind: 'peer', interface: 'wg0', publicKey: testKey(1) },
  {
    kind: 'peerSuccessor',
    interface: 'wg0',
    publicKey: testKey(1),
    nextPublicKey: testKey(2),
    rotation: 'r1',
  },
  {
    kind: 'route',
    vrf: 'blue',
    prefix: '10.0.0.0/8',
    paths: [{ interface: 'a' }, { interface: 'b', weight: 2 }],
  },
  { kind: 'floatingIp', id: 'f1', address: '198.51.100.9', fixedAddress: '10.77.0.2' },
  { kind: 'natSettings', name: 'default' },
  {
    kind: 'network',
    id: 'vlan-100',
    attachment: 'vlan',
    interface: 'eth0.100',
    parent: 'eth0',
    vlanId: 100,
    subnets: [{ prefix: '172.18.0.0/16', gateway: '172.18.0.1' }],
  },
  { kind: 'interface', name: 'br0', type: 'bridge' },
  { kind: 'policyRule', vrf: 'blue', priority: 100, source: '10.0.0.0/8' },
  { kind: 'dnsName', network: 'vlan-100', name: 'web', addresses: ['172.18.0.2'] },
  { kind: 'masquerade', vrf: 'blue', prefix: '10.0.0.0/8' },
  {
    kind: 'publishedPort',
    vrf: 'blue',
    hostAddress: '192.0.2.1',
    protocol: 'tcp',
    hostPort: 80,
    address: '10.0.0.2',
    port: 8080,
    network: 'vlan-100',
  },
];

test("the README's tables are those of the pages", () => {
  const readme = read('../README.md');
  const between = /(<!-- kinds[\s\S]*?-->\n\n)[\s\S]*(\n\n<!-- end of kinds -->)/;
  const made = readme.replace(between, (_all, from, to) => `${from}${readmeTables(intentsPage, objectsPage)}${to}`);
  assert.match(readme, between);
  if (process.argv.includes('--write')) writeFileSync(new URL('../README.md', import.meta.url), made);
  else assert.equal(readme, made, 'run: node packages/intent/docs/docs.test.ts --write');
  for (const kind of [...Object.keys(objectKinds), ...Object.keys(intentRank)])
    assert.match(made, new RegExp(`^\\| \`${kind}\` .*\\| now \\|$`, 'm'));
});

test('kinds marked now are those with code', () => {
  const now = (all: readonly DrawnKind[]): string[] => all.flatMap((s) => (s.now ? [s.kind] : [])).sort();
  assert.deepEqual(now(objects), Object.keys(objectKinds).sort());
  assert.deepEqual(now(intents), Object.keys(intentRank).sort());
});

for (const { kind, fields } of [...objects, ...intents])
  test(`${kind}: every field has a class, and there is a key`, () => {
    const wrong = fields.filter(({ of }) => !(fieldClasses as readonly string[]).includes(of));
    assert.deepEqual(wrong, []);
    assert.ok(fields.some(({ of }) => of === 'key'));
    // A name may stand twice only where it is given by us and learnt by the plane.
    const given = fields.filter(({ of }) => of !== 'learned').map(({ name }) => name);
    assert.deepEqual(given, [...new Set(given)]);
  });

for (const intent of intents)
  test(`intent ${intent.kind}: every field has a type, the key is the one that is said`, () => {
    assert.deepEqual(
      intent.fields.filter(({ type }) => type === '').map(({ name }) => name),
      [],
    );
    assert.deepEqual(
      saidKey(intent),
      intent.fields.filter(({ of }) => of === 'key').map(({ name }) => name),
    );
    assert.ok(intent.fields.every(({ of }) => of !== 'learned'));
    // Every field is in a table: prose that lists fields would have no classes.
    assert.doesNotMatch(intent.text, /Fields: /);
  });

for (const kind of Object.keys(objectKinds) as ObjectKind[])
  test(`object ${kind}: the fields and their classes`, () => {
    const spec = objectKinds[kind];
    const fixed: readonly string[] = spec.fixed;
    const drawn = objects
      .find((s) => s.kind === kind)!
      .fields.filter(({ later }) => !later)
      .map(({ name, of }) => `${name} ${of}`);
    const built = Object.entries(spec.fields).map(([name, of]) => `${name} ${fixed.includes(name) ? 'fixed' : of}`);
    assert.deepEqual(drawn.sort(), [...built, ...spec.learned.map((name) => `${name} learned`)].sort());
  });

for (const example of examples)
  test(`intent ${example.kind}: the fields, the key, and the classes of what it comes to`, () => {
    const parsed = parseIntent(example);
    assert.ok(parsed.ok);
    const { fields } = intents.find((s) => s.kind === example.kind)!;
    const now = fields.filter(({ later }) => !later);
    assert.deepEqual(['kind', ...now.map(({ name }) => name)].sort(), Object.keys(parsed.value).sort());
    const keys = now.filter(({ of }) => of === 'key').map(({ name }) => name);
    assert.equal(intentKey(parsed.value), [example.kind, ...keys.map((name) => example[name])].join('/'));
    const drawn = intents.find((s) => s.kind === example.kind)!;
    for (const kind of comesTo(drawn, new Set(Object.keys(objectKinds)))) {
      const spec = objectKinds[kind as ObjectKind];
      const classes = new Map<string, string>(Object.entries(spec.fields));
      for (const name of spec.fixed as readonly string[]) classes.set(name, 'fixed');
      // A key of the intent never changes, whatever its object would make of that.
      for (const { name, of } of now)
        if (of !== 'key' && classes.has(name) && classes.get(name) !== 'key')
          assert.equal(of, classes.get(name), `${kind}.${name}`);
    }
  });

test('there is an example of each kind', () => {
  assert.deepEqual(examples.map(({ kind }) => kind).sort(), Object.keys(intentRank).sort());
});

test('every intent comes to objects that are drawn, and every object has someone who asks for it', () => {
  const drawn = new Set(objects.map((s) => s.kind));
  const asked = new Set<string>();
  for (const intent of intents) {
    const words = comesTo(intent, drawn);
    assert.ok(words.length > 0, `${intent.kind} comes to nothing`);
    for (const word of words) asked.add(word);
  }
  assert.deepEqual(
    [...drawn].filter((kind) => !asked.has(kind)),
    [],
  );
  for (const kind of drawn) assert.notEqual(servedBy(objectsPage, kind), null, `${kind} is served by nobody`);
  for (const { kind, fields } of objects) {
    const keys = fields.filter(({ of }) => of === 'key').map(({ name }) => name);
    assert.match(objectsPage, new RegExp(`\\| \`${kind}\` +\\| ${keys.join(', ')} +\\|`), `the key of ${kind}`);
  }
});
