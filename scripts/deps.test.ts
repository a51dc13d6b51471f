/** The arrows between packages, held against every import that there is. The data is in arrows.ts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import test from 'node:test';
import {
  arrows,
  type Importer,
  mayImport,
  type PackageName,
  packageNames,
  programNames,
  purePackages,
  reasonAgainst,
} from './arrows.ts';
import { filesBelow, root } from './files.ts';
import { importsOf } from './source.ts';

interface Room {
  readonly importer: Importer;
  /** `packages/core`, `programs/cli`. */
  readonly folder: string;
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: { readonly [name: string]: string };
  readonly devDependencies?: { readonly [name: string]: string };
}

const rooms: readonly Room[] = [
  ...packageNames.map((name): Room => ({ importer: name, folder: `packages/${name}` })),
  ...programNames.map((name): Room => ({ importer: `programs/${name}`, folder: `programs/${name}` })),
];
const driverSiblings = ['fake', 'linux', 'vpp', 'userspace', 'dnsmasq'];

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as T;
}

/** Why `file` (path inside the room) may not import `specifier`; null when it may. */
function objection(room: Room, file: string, specifier: string, dependencies: ReadonlySet<string>): string | null {
  const isTest = /\.(test|testing)\.ts$/.test(file);
  if (specifier.startsWith('.')) {
    const target = posix.join(room.folder, posix.dirname(file), specifier);
    if (target.startsWith(`${room.folder}/`)) return siblings(room, file, target.slice(room.folder.length + 1));
    if (isTest && /^(tests|scripts|captures)\//.test(target)) return null;
    return 'a relative import stays inside its package, whose exports are its border';
  }
  const ours = /^@vrouter\/([a-z]+)\/(.+)$/.exec(specifier);
  if (ours !== null) {
    const name = ours[1] as PackageName;
    const path = ours[2]!;
    if (!packageNames.includes(name)) return `there is no package ${name}`;
    if (/(^|\/)internal\//.test(path)) return 'what lies in internal/ is for its own package';
    if (isTest) return null;
    if (!mayImport(room.importer, file, `${name}/${path}`)) return reasonAgainst(room.importer, name);
    return dependencies.has(`@vrouter/${name}`)
      ? null
      : `@vrouter/${name} is not in the package.json of ${room.folder}`;
  }
  if (/^(vrouter|@vrouter\/)/.test(specifier)) return 'nobody imports a program';
  if (specifier.startsWith('node:') || builtinModules.includes(specifier)) {
    if (!specifier.startsWith('node:')) return `write node:${specifier}`;
    if (isTest) return null;
    if (room.importer === 'api') return 'api runs in a browser, where there is no Node';
    return purePackages.some((name) => name === room.importer) ? 'a pure package has no hands: no node: modules' : null;
  }
  const stranger = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return dependencies.has(stranger) ? null : `${stranger} is not in the package.json of ${room.folder}`;
}

/** Inside drivers the planes do not know each other; elsewhere a package's folders may. */
function siblings(room: Room, file: string, target: string): string | null {
  if (room.importer !== 'drivers') return null;
  const from = file.split('/')[0]!;
  const to = target.split('/')[0]!;
  if (from === to || !driverSiblings.includes(to)) return null;
  if (from === 'contract') return 'the contract knows no plane';
  return driverSiblings.includes(from) ? 'planes do not know each other: what two need lies in drivers/contract' : null;
}

for (const room of rooms) {
  test(`${room.folder} imports only what it may`, () => {
    const manifest = readJson<Manifest>(`${room.folder}/package.json`);
    const rootManifest = readJson<Manifest>('package.json');
    const dependencies = new Set(Object.keys(manifest.dependencies ?? {}));
    const forTests = new Set([...dependencies, ...Object.keys(rootManifest.devDependencies ?? {})]);
    const complaints: string[] = [];
    for (const path of filesBelow(room.folder, '.ts')) {
      const file = path.slice(room.folder.length + 1);
      for (const { specifier, line } of importsOf(readFileSync(join(root, path), 'utf8'))) {
        const isTest = /\.(test|testing)\.ts$/.test(file);
        const why =
          specifier === null
            ? isTest
              ? null
              : 'an import of something computed cannot be checked'
            : objection(room, file, specifier, isTest ? forTests : dependencies);
        if (why !== null) complaints.push(`${path}:${line} imports ${specifier ?? '...'}: ${why}`);
      }
    }
    assert.deepEqual(complaints, []);
  });

  test(`package.json and tsconfig.json of ${room.folder} agree with the arrows`, () => {
    const manifest = readJson<Manifest>(`${room.folder}/package.json`);
    const named = Object.keys(manifest.dependencies ?? {})
      .filter((name) => name.startsWith('@vrouter/'))
      .map((name) => name.slice('@vrouter/'.length) as PackageName);
    const allowed = new Set(arrows[room.importer].map((arrow) => arrow.to.split('/')[0]));
    for (const name of named)
      assert.ok(allowed.has(name), `package.json names @vrouter/${name}: ${reasonAgainst(room.importer, name)}`);
    const { references } = readJson<{ references: { path: string }[] }>(`${room.folder}/tsconfig.json`);
    assert.deepEqual(
      references.map((reference) => posix.join(room.folder, reference.path)).sort(),
      named.map((name) => `packages/${name}`).sort(),
      'references of tsconfig.json and dependencies of package.json are the same packages',
    );
  });
}

test('every missing arrow has a reason', () => {
  for (const { importer } of rooms) {
    for (const name of packageNames) {
      if (name !== importer && !mayImport(importer, '', `${name}/x.ts`))
        assert.ok(reasonAgainst(importer, name).length > 20);
    }
  }
});

test('the rules refuse what they are for', () => {
  const room = (importer: Importer): Room => rooms.find((candidate) => candidate.importer === importer)!;
  const all = new Set(packageNames.map((name) => `@vrouter/${name}`).concat('zod', 'koffi'));
  const refused: readonly (readonly [Importer, string, string, RegExp])[] = [
    ['wire', 'arp/arp.ts', '@vrouter/protocols/arp/arp.ts', /no behaviour/],
    ['drivers', 'linux/link.ts', '@vrouter/engine/control/client.ts', /only drivers\/userspace/],
    ['drivers', 'linux/link.ts', '../vpp/link.ts', /do not know each other/],
    ['drivers', 'contract/suite.ts', '../fake/fake.ts', /knows no plane/],
    ['api', 'rest/x.ts', 'node:fs', /browser/],
    ['core', 'ip.ts', 'node:fs', /no hands/],
    ['core', 'ip.ts', 'zod', /^zod is not/],
    ['programs/controller', 'main.ts', '@vrouter/host/udp/udp.ts', /files\/ alone/],
    ['programs/vrouterd', 'main.ts', '@vrouter/engine/graph/graph.ts', /another process/],
    ['programs/cli', 'main.ts', 'vrouterd/main.ts', /nobody imports a program/],
    ['programs/cli', 'main.ts', '../vrouterd/main.ts', /stays inside/],
    ['programs/cli', 'main.test.ts', '../vrouterd/main.ts', /stays inside/],
    ['programs/vrouterd', 'main.ts', '@vrouter/drivers/internal/x.ts', /internal/],
    ['host', 'x.ts', 'fs', /write node:fs/],
    ['host', 'x.ts', 'left-pad', /not in the package.json/],
  ];
  for (const [importer, file, specifier, why] of refused) {
    const dependencies = importer === 'core' ? new Set<string>() : all;
    assert.match(objection(room(importer), file, specifier, dependencies) ?? '', why, `${importer} ${specifier}`);
  }
  const fine: readonly (readonly [Importer, string, string])[] = [
    ['drivers', 'userspace/userspace.ts', '@vrouter/engine/control/messages.ts'],
    ['drivers', 'linux/link.ts', '../contract/driver.ts'],
    ['drivers', 'linux/link.test.ts', '@vrouter/host/netlink/socket.ts'],
    ['programs/controller', 'main.ts', '@vrouter/host/files/atomic.ts'],
    ['programs/vrouterd', 'main.ts', '@vrouter/engine/control/messages.ts'],
    ['host', 'x.test.ts', '../../tests/world/needs.ts'],
  ];
  for (const [importer, file, specifier] of fine)
    assert.equal(objection(room(importer), file, specifier, all), null, `${importer} ${specifier}`);
});
