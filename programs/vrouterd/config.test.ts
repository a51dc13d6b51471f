import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { readConfig } from './config.ts';

function fileWith(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'vr-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'vrouterd.yaml');
  writeFileSync(path, text);
  return path;
}

test('an option wins over the file, the file over the default', (t) => {
  const config = fileWith(t, 'plane: userspace\ndata: /tmp/from-file\nlogLevel: warn\nsocket: /tmp/s.sock\n');
  const read = readConfig({ config, data: '/tmp/from-option' });
  assert.equal(read.dataFolder, '/tmp/from-option');
  assert.equal(read.logLevel, 'warn');
  assert.equal(read.socketPath, '/tmp/s.sock');
  assert.equal(read.engineSocketPath, '/tmp/from-option/engine.sock');
  assert.equal(read.engineStart, true);
  assert.equal(read.engineWorkers, null);
  const several = fileWith(t, 'plane: userspace\nengine: { workers: 3 }\n');
  assert.equal(readConfig({ config: several }).engineWorkers, 3);
});

test('the controller has no say in the machine itself unless the file or an option gives it one', (t) => {
  const allowed = (text: string, option?: boolean) =>
    readConfig({ config: fileWith(t, `plane: userspace\n${text}`), ...(option && { allowHostInterface: option }) })
      .allow.hostInterface;
  assert.equal(allowed(''), false);
  assert.equal(allowed('allow: {}'), false);
  assert.equal(allowed('allow: { hostInterface: false }'), false);
  assert.equal(allowed('allow: { hostInterface: true }'), true);
  const port = (text: string) => readConfig({ config: fileWith(t, `plane: userspace\n${text}`) }).allow.port;
  assert.deepEqual(
    [port(''), port('allow: { hostInterface: true }'), port('allow: { port: true }')],
    [false, false, true],
  );
  assert.equal(allowed('', true), true);
});

test('the router service listens where the file says, and nowhere else', (t) => {
  const service = (text: string) =>
    readConfig({ config: fileWith(t, `plane: linux\nrouterService: ${text}\n`) }).routerService;
  assert.equal(readConfig({ bootstrap: true }).routerService, null);
  assert.deepEqual(service('{ vsockPort: 50052 }'), {
    vsockPort: 50_052,
    allowedCids: [2],
    socket: null,
    tcp: null,
    parent: null,
  });
  assert.deepEqual(service('{ socket: /run/r.sock, tcp: "[::1]:50052", parent: eth1, allowedCids: [1, 3] }'), {
    vsockPort: null,
    allowedCids: [1, 3],
    socket: '/run/r.sock',
    tcp: { address: '::1', port: 50_052 },
    parent: 'eth1',
  });
});

test('bootstrap needs no file', () => {
  const read = readConfig({ bootstrap: true });
  assert.equal(read.plane, 'userspace');
  assert.match(read.dataFolder, /\.vrouter\/gateway$/);
});

for (const [name, text, field] of [
  ['a misspelt key', 'plane: userspace\ndatta: x\n', 'datta'],
  ['a plane that there is not', 'plane: moon\n', 'plane'],
  ['a value of another kind', 'plane: userspace\ndata: [1]\n', 'data'],
  ['no worker at all', 'plane: userspace\nengine: { workers: 0 }\n', 'engine.workers'],
  ['more workers than an engine can have', 'plane: userspace\nengine: { workers: 9 }\n', 'engine.workers'],
  ['a permission that there is not', 'plane: userspace\nallow: { hostInterfaces: true }\n', 'allow.hostInterfaces'],
  ['a router service that listens nowhere', 'plane: linux\nrouterService: { parent: eth0 }\n', 'routerService'],
  ['TCP for others', 'plane: linux\nrouterService: { tcp: "0.0.0.0:50052" }\n', 'routerService.tcp'],
  ['a name for a loopback', 'plane: linux\nrouterService: { tcp: "localhost:50052" }\n', 'routerService.tcp'],
  ['no VSOCK port', 'plane: linux\nrouterService: { vsockPort: 0 }\n', 'routerService.vsockPort'],
  [
    'no context id',
    'plane: linux\nrouterService: { vsockPort: 1, allowedCids: [-1] }\n',
    'routerService.allowedCids.0',
  ],
  ['no interface', 'plane: linux\nrouterService: { vsockPort: 1, parent: "a b" }\n', 'routerService.parent'],
  ['no YAML', 'plane: {', undefined],
] as const)
  test(`refused: ${name}`, (t) => {
    const config = fileWith(t, text);
    assert.throws(
      () => readConfig({ config }),
      (thrown: unknown) => {
        assert.ok(thrown instanceof ProblemError);
        assert.equal(thrown.problem.code, 'config.invalid');
        assert.ok(thrown.problem.message.includes(config));
        if (field !== undefined) assert.equal(thrown.problem.field, field);
        return true;
      },
    );
  });

test('without a word about the plane nothing is guessed', () => {
  assert.throws(() => readConfig({}), /--bootstrap/);
  assert.throws(() => readConfig({ bootstrap: true, logLevel: 'loud' }), /log level/);
});
